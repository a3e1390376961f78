import { waitFor } from '@oncekey/test-servers'
import { beforeAll, describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, refused, said } from '../../database/claims.ts'
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

// A bug: a store in transaction mode, which writes nothing about leases, answered `in-progress`
// until the clock had caught up, as long as no claim of lease mode came.
describe('after the clock was put back, a store in transaction mode', () => {
  const transactional = () => storeOn(database.pool({ options: clockOptions }))

  test('takes over a lease whose process died, once its length is over', async () => {
    const claim = claimOf({ leaseMs: 1_000 })
    const dead = attemptOf(await store().begin(claim))
    await move(-DAY_MS)
    const alive = transactional()
    expect(said(await alive.begin(again(claim)))).toBe('in-progress')
    const taker = await waitFor(
      async () => {
        const decision = await alive.begin(again(claim))
        return decision.kind === 'run' && decision.attempt
      },
      { what: 'the lease to end', timeoutMs: 20_000 },
    )
    expect(taker.number).toBe(2)
    expect(await taker.complete(kept('done'))).toBe('stored')
    expect(await dead.complete(kept('late'))).toBe('superseded')
  })

  test('leaves a lease that is renewed', async () => {
    const claim = claimOf({ leaseMs: 60_000 })
    const attempt = attemptOf(await store().begin(claim))
    await move(-DAY_MS)
    const other = transactional()
    expect(said(await other.begin(again(claim)))).toBe('in-progress')
    expect(await attempt.renew(60_000)).toBe('held')
    expect(said(await other.begin(again(claim)))).toBe('in-progress')
    expect(await attempt.complete(kept('done'))).toBe('stored')
  })

  test.each(['kept', 'refused'])('runs an abandoned attempt again, which is %s', async (how) => {
    const claim = claimOf()
    await attemptOf(await store().begin(claim)).abandon()
    await move(-DAY_MS)
    const taker = attemptOf(await transactional().begin(again(claim)))
    expect(taker.number).toBe(2)
    expect(await taker.complete(how === 'kept' ? kept('done') : refused('no'))).toBe('stored')
  })

  test('lets an operator end an abandoned attempt', async () => {
    const claim = claimOf()
    await attemptOf(await store().begin(claim)).abandon()
    await move(-DAY_MS)
    const act = { actor: 'maria', note: 'checked' }
    expect(await transactional().keys.answer(claim, kept('answered').response, act)).toBe('done')
    expect(said(await transactional().begin(again(claim)))).toBe('replay 201 answered')
  })
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
