import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { fanOut } from '../servers/webhooks-database.ts'
import { database, events } from './gates.ts'

const seal = { current: 'k1', keys: { k1: randomBytes(32) } }
const due = () => database.query('update oncekey.webhook_deliveries set due_at = now()')

// A bug: a worker without the key added a row for each delivery every minute, for as long as nobody
// gave it the key.
test('a fault on our side leaves one entry in the history, however often it repeats', async () => {
  const receiver = await startReceiver(204)
  const sealed = database.hooks({ seal })
  await sealed.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(sealed, database.pool(), events(1))
  for (let times = 1; times <= 3; times++) {
    // A worker that has just been made has not found out yet.
    expect(await database.hooks().createWorker().deliverOnce()).toBe(1)
    const [delivery] = await sealed.deliveries.list()
    expect(await sealed.deliveries.get(delivery?.id ?? '')).toMatchObject({
      attempts: times,
      history: [{ number: times, error: 'seal-key-missing' }],
    })
    await due()
  }
  receiver.answer(500)
  await sealed.createWorker().deliverOnce()
  await due()
  await database.hooks().createWorker().deliverOnce()
  const [delivery] = await sealed.deliveries.list()
  const found = await sealed.deliveries.get(delivery?.id ?? '')
  expect(found?.history.map(({ number, error }) => [number, error])).toEqual([
    [3, 'seal-key-missing'],
    [4, 'status 500'],
    [5, 'seal-key-missing'],
  ])
})

// A bug: a process that had as many sockets as it may have failed every delivery at its endpoint.
test.each(['EMFILE', 'ENOBUFS'])(
  '%s counts neither as a try nor against the endpoint',
  async (code) => {
    const receiver = await startReceiver(204)
    let isFull = true
    const hooks = database.hooks({
      resolve: async () => {
        if (isFull) throw Object.assign(new Error(`connect ${code}`), { code })
        return ['127.0.0.1']
      },
    })
    const { port } = new URL(receiver.url)
    await hooks.endpoints.register({ url: `http://hooks.example:${port}/`, types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    const [row] = await database.query(
      `select d.error, d.tries, d.state, e.failures from oncekey.webhook_deliveries d
       join oncekey.webhook_endpoints e on e.id = d.endpoint_id`,
    )
    expect(row).toEqual({ error: code, tries: 0, state: 'pending', failures: 0 })
    isFull = false
    await due()
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    expect(receiver.received).toHaveLength(1)
  },
)

// A bug: it went through everything that waited for the endpoint, one claim after another.
test('a worker that cannot sign for an endpoint leaves it for a minute, and sends to others', async () => {
  const [receiver, other] = [await startReceiver(204), await startReceiver(204)]
  const sealed = database.hooks({ seal })
  const plain = database.hooks()
  await sealed.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(sealed, database.pool(), events(10))
  const worker = plain.createWorker({ endpointConcurrency: 5 })
  expect(await worker.deliverOnce()).toBe(5)
  expect(await worker.deliverOnce()).toBe(0)
  await plain.endpoints.register({ url: other.url, types: ['*'] })
  await fanOut(plain, database.pool(), events(1))
  expect(await worker.deliverOnce()).toBe(1)
  expect(other.received).toHaveLength(1)
  // Another worker has the key, and need not wait.
  expect(await sealed.createWorker({ endpointConcurrency: 20 }).deliverOnce()).toBe(6)
})

test('while the proxy is away, a worker tries one delivery now and then', async () => {
  const receiver = await startReceiver(204)
  const hooks = database.hooks({ proxy: { url: 'http://127.0.0.1:1', resolves: true } })
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(10))
  const worker = hooks.createWorker({ endpointConcurrency: 5 })
  expect(await worker.deliverOnce()).toBe(5)
  expect(await worker.deliverOnce()).toBe(0)
  expect(await database.hooks().createWorker().deliverOnce()).toBe(5)
})

test('a delivery shows its last hundred attempts', async () => {
  const receiver = await startReceiver(204)
  const hooks = database.hooks()
  await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await fanOut(hooks, database.pool(), events(1))
  const [delivery] = await hooks.deliveries.list()
  await database.query(
    `insert into oncekey.webhook_attempts (delivery_id, number, started_at, duration_ms, truncated)
      select $1, n, now(), 1, false from generate_series(1, 150) n`,
    [delivery?.id],
  )
  const { history = [] } = (await hooks.deliveries.get(delivery?.id ?? '')) ?? {}
  expect(history.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, n) => n + 51))
})
