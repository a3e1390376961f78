import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { again, attemptOf, claimOf, kept, said } from '../../database/claims.ts'
import { storeOn, testDatabase } from '../../database/test-database.ts'
import { unseen, withEscapes } from '../../database/unseen.ts'

const CLIENTS = 16
const KEYS = 320
const insert = 'insert into orders values ($1)'
const levels = ['read committed', 'repeatable read', 'serializable'] as const

describe.each(levels)('lease mode, isolation %s', (isolation) => {
  const database = testDatabase()

  test('applies to the handler, whatever the default of the session', async () => {
    const pool = database.pool({ options: '-c default_transaction_isolation=serializable' })
    const attempt = attemptOf(await storeOn(pool, { mode: 'lease', isolation }).begin(claimOf()))
    const { rows } = await (await attempt.transaction()).query('show transaction_isolation')
    expect(rows).toEqual([{ transaction_isolation: isolation }])
    await attempt.release()
  })

  test(`lets ${KEYS} different keys run without conflicts, ${CLIENTS} at a time`, async () => {
    const pool = database.pool({ max: 2 * CLIENTS })
    const store = storeOn(pool, { mode: 'lease', isolation, maxConcurrent: CLIENTS })
    const outcomes = await together(async () => {
      const attempt = attemptOf(await store.begin(claimOf()))
      await (await attempt.transaction()).query(insert, [randomUUID()])
      return attempt.complete(kept('done'))
    })
    expect(outcomes).toEqual({ stored: KEYS })
  })

  test('shows the handler what was committed before its transaction, not only before its claim', async () => {
    const store = storeOn(database.pool(), { mode: 'lease', isolation })
    const attempt = attemptOf(await store.begin(claimOf()))
    const id = randomUUID()
    await database.query(insert, [id])
    const tx = await attempt.transaction()
    expect((await tx.query('select from orders where id = $1', [id])).rowCount).toBe(1)
    await attempt.release()
  })
})

describe('in lease mode a conflict between handlers', () => {
  const database = testDatabase()
  withEscapes(database)

  test('answers 503 and leaves the outcome unknown, because outside effects are not undone', async () => {
    await database.query('create table doctors (name text primary key, on_call boolean)')
    await database.query("insert into doctors values ('alice', true), ('bob', true)")
    const store = storeOn(database.pool(), { mode: 'lease', isolation: 'serializable' })
    const leave = async (name: string) => {
      const claim = claimOf()
      const attempt = attemptOf(await store.begin(claim))
      const tx = await attempt.transaction()
      await tx.query('select count(*) from doctors where on_call')
      await tx.query('update doctors set on_call = false where name = $1', [name])
      return { attempt, claim }
    }
    const [alice, bob] = [await leave('alice'), await leave('bob')]
    expect(await alice.attempt.complete(kept('left'))).toBe('stored')
    await expect(bob.attempt.complete(kept('left'))).rejects.toMatchObject({
      code: 'commit-failed',
      cause: expect.objectContaining({ code: '40001' }),
    })
    expect(said(await store.begin(again(bob.claim, { whenUnknown: 'hold' })))).toBe('unknown')
    expect(await database.query('select name from doctors where on_call')).toEqual([
      { name: 'bob' },
    ])
  })

  test('leaves the outcome unknown at once if a failed statement was swallowed', async () => {
    const store = storeOn(database.pool(), { mode: 'lease' })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    await (await attempt.transaction()).query('select 1 / 0').catch(() => {})
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(said(await store.begin(again(claim, { whenUnknown: 'hold' })))).toBe('unknown')
    const retaken = attemptOf(await store.begin(again(claim)))
    expect(retaken.number).toBe(2)
    await retaken.release()
  })

  test('spends the key if the handler committed itself: nothing runs under it again', async () => {
    const store = storeOn(database.pool(), { mode: 'lease' })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    await (await attempt.transaction()).query(unseen('commit')).catch(() => {})
    await expect(attempt.complete(kept('done'))).rejects.toMatchObject({
      code: 'transaction-ended',
    })
    for (const whenUnknown of ['hold', 'retake'] as const)
      expect(said(await store.begin(again(claim, { whenUnknown })))).toBe('result-gone')
  })
})

describe.each(['repeatable read', 'serializable'] as const)(
  'lease mode with the session’s default set to %s',
  (level) => {
    const database = testDatabase()
    const store = (max: number) =>
      storeOn(
        database.pool({
          max,
          options: `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`,
        }),
        {
          mode: 'lease',
          acquireTimeoutMs: 30_000,
        },
      )

    test('runs one of fifty claims, and completes all different keys', async () => {
      const [one, two] = [store(10), store(10)]
      const claim = claimOf()
      const decisions = await Promise.all(
        Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? one : two).begin(again(claim))),
      )
      const kinds = decisions.map(({ kind }) => kind)
      expect(kinds.filter((kind) => kind === 'run')).toHaveLength(1)
      expect(kinds.filter((kind) => kind === 'in-progress')).toHaveLength(49)
      for (const decision of decisions)
        if (decision.kind === 'run') await decision.attempt.release()

      const outcomes = await together(async (index) => {
        const attempt = attemptOf(await (index % 2 === 0 ? one : two).begin(claimOf()))
        return attempt.complete(kept('done'))
      })
      expect(outcomes).toEqual({ stored: KEYS })
    })
  },
)

async function together(one: (index: number) => Promise<string>): Promise<Record<string, number>> {
  const outcomes: Record<string, number> = {}
  let left = KEYS
  const client = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      const outcome = await one(left)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  return outcomes
}
