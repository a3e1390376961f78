import { startProxy, waitFor } from '@oncekey/test-servers'
import { expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { fanOut } from '../servers/webhooks-database.ts'
import { database, events } from './gates.ts'

/** A pool of its own, which is ended as soon as the worker was stopped, as a deploy does. */
async function setUp() {
  const pool = database.pool({ max: 3 })
  const receiver = await startReceiver(204)
  const hooks = database.hooks({ client: pool })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(1))
  return { pool, hooks, receiver }
}

/** Locks a table, so that whoever reads it waits. */
async function locked(table: string): Promise<{ isWaitedFor(): Promise<unknown>; open(): void }> {
  const client = await database.pool().connect()
  await client.query(`begin; lock table oncekey.${table} in access exclusive mode`)
  let isOpen = false
  const open = () => {
    if (isOpen) return
    isOpen = true
    void client.query('rollback').finally(() => client.release())
  }
  onTestFinished(open)
  return {
    open,
    isWaitedFor: () =>
      waitFor(
        async () => {
          const { rowCount } = await client.query(
            `select from pg_locks where not granted and relation = 'oncekey.${table}'::regclass`,
          )
          return rowCount !== 0
        },
        { what: `somebody to wait for ${table}` },
      ),
  }
}

const claimOf = () =>
  database.query('select unfinished, leased_until from oncekey.webhook_deliveries')
const FREE = [{ unfinished: 0, leased_until: null }]

// Bugs: a stop did not wait for a round that was still at its redrives or its claim. What the round
// then claimed stayed leased, and counted as claimed by a worker that had died.
test.each([
  ['its redrives', 'redrives'],
  ['its claim', 'webhook_deliveries'],
])('a round that a stop meets at %s takes nothing', async (_, table) => {
  const { pool, hooks, receiver } = await setUp()
  const worker = hooks.createWorker()
  const lock = await locked(table)
  const round = worker.deliverOnce()
  await lock.isWaitedFor()
  const order: string[] = []
  const stopped = worker.stop().then(() => order.push('stopped'))
  await database.query('select pg_sleep(0.05)')
  order.push('unlocked')
  lock.open()
  await stopped
  await pool.end()
  expect(await round).toBe(0)
  expect(order).toEqual(['unlocked', 'stopped'])
  expect(await claimOf()).toEqual(FREE)
  expect(receiver.received).toHaveLength(0)
})

// A bug: the second stop waited only for what was started after the first, which is nothing.
test('a second stop waits for what the first one waits for', async () => {
  const { pool, hooks } = await setUp()
  const worker = hooks.createWorker()
  const lock = await locked('webhook_deliveries')
  worker.start()
  await lock.isWaitedFor()
  const order: string[] = []
  const first = worker.stop()
  const second = worker.stop().then(() => order.push('stopped'))
  await database.query('select pg_sleep(0.05)')
  order.push('unlocked')
  lock.open()
  await Promise.all([first, second])
  await pool.end()
  expect(order).toEqual(['unlocked', 'stopped'])
  expect(await claimOf()).toEqual(FREE)
})

// A bug: it was given back before the next claim, and a worker that is made for one call has none.
test('a stop gives back what was claimed without an answer', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  onTestFinished(() => proxy.stop())
  await setUp()
  for (let times = 0; times < 3; times++) {
    const pool = database.pool({ connectionString: proxy.through(database.url()) })
    const worker = database.hooks({ client: pool }).createWorker({ maxUnfinished: 2 })
    const dropped = proxy.dropAfter('claim_webhooks')
    await expect(worker.deliverOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
    await dropped
    await worker.stop()
    await pool.end()
  }
  expect(await claimOf()).toEqual(FREE)
  expect(await database.hooks().createWorker().deliverOnce()).toBe(1)
})

test('a stop that cannot give it back ends all the same', async () => {
  const proxy = await startProxy(Number(new URL(database.url()).port))
  onTestFinished(() => proxy.stop())
  await setUp()
  const pool = database.pool({ connectionString: proxy.through(database.url()) })
  const worker = database.hooks({ client: pool }).createWorker()
  const dropped = proxy.dropAfter('claim_webhooks')
  await expect(worker.deliverOnce()).rejects.toMatchObject({ code: 'store-unavailable' })
  await dropped
  proxy.stall()
  let isStopped = false
  void worker.stop({ timeoutMs: Number.POSITIVE_INFINITY }).then(() => {
    isStopped = true
  })
  await waitFor(() => isStopped, { what: 'stop() to resolve', timeoutMs: 4_000 })
})
