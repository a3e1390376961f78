import { waitFor } from '@oncekey/test-servers'
import { beforeEach, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

// A bug: fifty bodies of two megabytes came in one reply. That ended a worker with little memory,
// and each after it, until every one of these deliveries was a dead letter.
test('a worker has so many bytes under way and no more, and sends all of them', async () => {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const receiver = await startReceiver(async (_, response) => {
    await held
    response.writeHead(204).end()
  })
  const hooks = database.hooks({ timeoutMs: 30_000 })
  for (let n = 0; n < 10; n++) await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const data = 'x'.repeat(2 * 1_048_576 - 100)
  await fanOut(hooks, database.pool(), [eventOf({ data }), eventOf({ data })])
  const worker = hooks.createWorker({ concurrency: 20 })
  worker.start()
  await waitFor(() => receiver.received.length >= 6, { what: 'the first to arrive' })
  // A round trip to the database, in which a worker that could claim more would have done so.
  await database.query('select pg_sleep(0.3)')
  expect(receiver.received.length).toBeLessThan(10)
  letGo()
  await waitFor(async () => (await hooks.deliveries.list({ state: 'delivered' })).length === 20, {
    what: 'all to be delivered',
    timeoutMs: 30_000,
  })
  await worker.stop()
})

test('a body that is longer than all of that is sent', async () => {
  const receiver = await startReceiver(204)
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), [eventOf({ data: 'x'.repeat(20 * 1_048_576) })])
  expect(await hooks.createWorker().deliverOnce()).toBe(1)
  expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered' }])
})

// A bug: the bodies of one slow endpoint used up all of that, and nobody else got anything.
test('the large bodies of one slow endpoint hold up no other', async () => {
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const slow = await startReceiver(async (_, response) => {
    await held
    response.writeHead(204).end()
  })
  const other = await startReceiver(204)
  const hooks = database.hooks({ timeoutMs: 30_000 })
  await hooks.endpoints.register({ url: slow.url, types: ['large'] })
  await hooks.endpoints.register({ url: other.url, types: ['small'] })
  const data = 'x'.repeat(3_000_000)
  const large = Array.from({ length: 6 }, () => eventOf({ type: 'large', data }))
  await fanOut(hooks, database.pool(), large)
  const worker = hooks.createWorker()
  worker.start()
  await waitFor(() => slow.received.length >= 4, { what: 'large ones to arrive' })
  for (let n = 1; n <= 3; n += 1) {
    await fanOut(hooks, database.pool(), [eventOf({ type: 'small' })])
    await waitFor(() => other.received.length === n, { what: 'a small one to arrive' })
  }
  expect(slow.received.length).toBeLessThan(6)
  letGo()
  await waitFor(() => slow.received.length === 6, { what: 'all to arrive', timeoutMs: 30_000 })
  await worker.stop()
})
