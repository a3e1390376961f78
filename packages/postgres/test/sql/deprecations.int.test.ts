import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { attemptOf, claimOf, eventOf, kept, refused } from '../database/claims.ts'
import { storeOn, testDatabase, wires } from '../database/test-database.ts'

const database = testDatabase()

// pg warns, once per process, when a query is sent while another is under way on a client that does
// not pipeline. Its next major version refuses such a query.
test('no query is sent on a client that is busy with another', async () => {
  const warnings: Error[] = []
  process.on('warning', (warning) => warnings.push(warning))
  for (const { pipeline, prepare } of wires) {
    const store = storeOn(database.pool({ pipeline }), { prepare })
    const begin = async () => {
      const attempt = attemptOf(await store.begin(claimOf()))
      const tx = await attempt.transaction()
      return { attempt, tx }
    }
    const insert = 'insert into orders values ($1)'
    const one = await begin()
    const id = randomUUID()
    one.tx.query(insert, [id])
    expect(await one.attempt.complete(kept('done', [eventOf()]))).toBe('stored')
    expect(await database.hasOrder(id)).toBe(true)
    const two = await begin()
    two.tx.query(insert, [randomUUID()])
    expect(await two.attempt.complete(refused('no'))).toBe('stored')
    const three = await begin()
    three.tx.query('select pg_sleep(0.05)')
    await three.attempt.abandon()
    const four = await begin()
    const failing = four.tx.query('select 1 / 0').catch((error: Error) => error.message)
    await expect(four.attempt.complete(kept('x'))).rejects.toMatchObject({
      code: 'transaction-aborted',
    })
    expect(await failing).toBe('division by zero')
  }
  // Warnings are emitted on the next tick.
  await new Promise(setImmediate)
  expect(warnings).toEqual([])
})
