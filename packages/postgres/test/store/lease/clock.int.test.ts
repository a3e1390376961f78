import { waitFor } from '@oncekey/test-servers'
import { beforeAll, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../../database/claims.ts'
import { clockOptions, movableClock } from '../../database/movable-clock.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'

const DAY_MS = 86_400_000
const database = testDatabase()
let move: (ms: number) => Promise<void>
beforeAll(async () => {
  move = await movableClock(database)
})
const store = () => storeOn(database.pool({ options: clockOptions }), { mode: 'lease' })

// A bug: the key of a dead process stayed taken until the clock had caught up.
test.each(['claimed', 'renewed'])(
  'a lease that was %s keeps its length after the clock of the server was put back',
  async (how) => {
    const [dead, alive] = [store(), store()]
    const claim = claimOf({ leaseMs: 300 })
    const attempt = attemptOf(await dead.begin(claim))
    if (how === 'renewed') expect(await attempt.renew(300)).toBe('held')
    await move(-DAY_MS)

    expect(said(await alive.begin(again(claim)))).toBe('in-progress')
    const unknown = again(claim, { whenUnknown: 'hold' })
    await waitFor(async () => said(await alive.begin(unknown)) === 'unknown', {
      what: 'the lease to end',
      timeoutMs: 20_000,
    })
    const taker = attemptOf(await alive.begin(again(claim)))
    expect(await attempt.renew(60_000)).toBe('stale')
    expect(await attempt.complete(kept('late'))).toBe('superseded')
    expect(await taker.complete(kept('done'))).toBe('stored')
  },
)

test('a running attempt keeps its key after the clock was put back, and completes', async () => {
  const [ours, theirs] = [store(), store()]
  const claim = claimOf({ leaseMs: 60_000 })
  const attempt = attemptOf(await ours.begin(claim))
  await move(-DAY_MS)
  expect(said(await theirs.begin(again(claim)))).toBe('in-progress')
  expect(await attempt.renew(60_000)).toBe('held')
  expect(said(await theirs.begin(again(claim)))).toBe('in-progress')
  expect(await attempt.complete(kept('done'))).toBe('stored')
  expect(said(await theirs.begin(again(claim)))).toBe('replay 201 done')
})

test('an abandoned attempt stays unknown after the clock was put back', async () => {
  const ours = store()
  const claim = claimOf()
  await attemptOf(await ours.begin(claim)).abandon()
  await move(-DAY_MS)
  expect(said(await ours.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
  await attemptOf(await ours.begin(again(claim))).release()
})

test('a clock that is put ahead ends leases, and whoever lost one writes nothing', async () => {
  const [ours, theirs] = [store(), store()]
  const claim = claimOf({ leaseMs: 60_000 })
  const attempt = attemptOf(await ours.begin(claim))
  await move(DAY_MS)
  const taker = attemptOf(await theirs.begin(again(claim)))
  expect(await attempt.renew(60_000)).toBe('stale')
  expect(await attempt.complete(kept('late'))).toBe('superseded')
  expect(await taker.complete(kept('done'))).toBe('stored')
})
