import { expect, test } from 'vitest'
import { again, attemptOf, claimOf, eventOf, kept, refused, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const database = testDatabase()

/** Locks a table as CREATE INDEX does: readers continue, and writers wait. */
async function locked(table: string): Promise<() => Promise<void>> {
  const client = await database.pool().connect()
  await client.query('begin')
  await client.query(`lock table oncekey.${table} in share mode`)
  return async () => {
    await client.query('rollback')
    client.release()
  }
}

// A bug: completions waited for `commitTimeoutMs`, half a minute, with the handler's locks and
// every connection of the pool, and then nobody knew whether they had been committed.
test.each([
  ['a completion', kept('done'), 'replay 201 done'],
  ['a refusal', refused('no'), 'replay 422 no'],
])(
  '%s that cannot be written is an error that releases everything, and a retry runs',
  async (_, completion, replay) => {
    const store = storeOn(database.pool({ max: 2 }), { maxConcurrent: 1 })
    const claim = claimOf()
    const attempt = attemptOf(await store.begin(claim))
    await (await attempt.transaction()).query('insert into orders values ($1)', [claim.key])
    const unlock = await locked('records')
    await expect(attempt.complete(completion)).rejects.toMatchObject({
      code: 'commit-failed',
      message: 'Nothing was committed: canceling statement due to lock timeout',
    })
    expect(await database.locks()).toBe(0)
    await unlock()
    const retry = attemptOf(await store.begin(again(claim)))
    expect(await retry.complete(completion)).toBe('stored')
    expect(said(await store.begin(again(claim)))).toBe(replay)
  },
)

test('a transaction without a key whose events cannot be written is an error that releases everything', async () => {
  const store = storeOn(database.pool({ max: 2 }))
  const attempt = await store.open({ leaseMs: 60_000 })
  await attempt.transaction()
  const unlock = await locked('outbox')
  await expect(attempt.complete(kept('done', [eventOf()]))).rejects.toMatchObject({
    code: 'commit-failed',
    message: 'Nothing was committed: canceling statement due to lock timeout',
  })
  await unlock()
})
