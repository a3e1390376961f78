import { expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { fanOut } from '../servers/webhooks-database.ts'
import { database, events } from './gates.ts'

const due = () => database.query(`update oncekey.webhook_deliveries set due_at = now()`)
const errors = async () =>
  (
    await database.query<{ error: string }>(
      `select error from oncekey.webhook_deliveries order by error`,
    )
  ).map(({ error }) => error)
const counted = async () => {
  const [row] = await database.query<{ tries: number; failures: number }>(
    `select (select sum(tries) from oncekey.webhook_deliveries)::int as tries,
        sum(failures)::int as failures from oncekey.webhook_endpoints`,
  )
  return row
}

// A bug: while our own name servers were away, endpoints were cooled down, deliveries used up their
// attempts, and customers were told that their names were not found.
test.each<[string, () => Promise<never>]>([
  ['fail', () => Promise.reject(Object.assign(new Error('queryA'), { code: 'ESERVFAIL' }))],
  ['are silent', () => new Promise(() => {})],
])('while name servers %s for several hosts, nothing counts after the first', async (_, fail) => {
  const receiver = await startReceiver(204)
  const { port } = new URL(receiver.url)
  let isAway = true
  const hooks = database.hooks({
    timeoutMs: 2_000,
    resolve: async () => (isAway ? await fail() : ['127.0.0.1']),
  })
  for (const host of ['a', 'b', 'c']) {
    await hooks.endpoints.register({ url: `http://${host}.example:${port}/`, types: ['*'] })
  }
  await fanOut(hooks, database.pool(), events(1))
  expect(await hooks.createWorker().deliverOnce()).toBe(3)
  expect(await counted()).toEqual({ tries: 1, failures: 1 })
  expect((await errors()).filter((error) => error === 'name-servers-unavailable')).toHaveLength(2)
  await due()
  const worker = hooks.createWorker()
  expect(await worker.deliverOnce()).toBe(3)
  expect(await counted()).toEqual({ tries: 1, failures: 1 })
  expect(await errors()).toEqual(Array(3).fill('name-servers-unavailable'))
  // This worker leaves the endpoints alone for a while.
  await due()
  expect(await worker.deliverOnce()).toBe(0)

  isAway = false
  expect(await hooks.createWorker().deliverOnce()).toBe(3)
  expect(receiver.received).toHaveLength(3)
})

test('a host whose own name servers are away pays for it', async () => {
  const receiver = await startReceiver(204)
  const { port } = new URL(receiver.url)
  const hooks = database.hooks({
    resolve: async (hostname) => {
      if (hostname === 'living.example') return ['127.0.0.1']
      throw Object.assign(new Error('queryA ESERVFAIL'), { code: 'ESERVFAIL' })
    },
  })
  for (const host of ['dead.example', 'living.example']) {
    await hooks.endpoints.register({ url: `http://${host}:${port}/`, types: ['*'] })
  }
  await fanOut(hooks, database.pool(), events(3))
  const worker = hooks.createWorker({ endpointConcurrency: 1 })
  for (let n = 0; n < 3; n += 1) {
    expect(await worker.deliverOnce()).toBe(2)
    await due()
  }
  expect(await counted()).toEqual({ tries: 6, failures: 3 })
})
