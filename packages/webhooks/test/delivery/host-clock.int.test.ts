import { startClock, startNode, waitFor } from '@oncekey/test-servers'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startReceiver, verified } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()

// A receiver takes a timestamp that is five minutes off for a repeated delivery and refuses it,
// which made every delivery of such a host dead.
test('a worker on a host whose clock is wrong signs by the clock of the database', async () => {
  const clock = await startClock()
  onTestFinished(() => clock.remove())
  clock.shift(-3_600)
  const hooks = database.hooks()
  const receiver = await startReceiver()
  const { secret } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const worker = await startNode(new URL('../servers/worker-process.ts', import.meta.url), {
    env: { ...clock.env, DATABASE_URL: database.url(), TIMEOUT_MS: '2000' },
    readyTimeoutMs: 120_000,
  })
  onTestFinished(() => worker.kill())
  const event = eventOf()
  await fanOut(hooks, database.pool(), [event])
  await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
  expect(verified(receiver.received[0]!, secret)).toBe(event.id)
})

test('so are a ping, and a delivery that is shown as a request', async () => {
  const hooks = database.hooks()
  const receiver = await startReceiver()
  const { endpoint, secret } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const event = eventOf()
  await fanOut(hooks, database.pool(), [event])
  const [delivery] = await hooks.deliveries.list({ eventId: event.id, endpointId: endpoint.id })
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() - 3_600_000 })
  onTestFinished(() => void vi.useRealTimers())
  await hooks.endpoints.ping(endpoint.id)
  const shown = await hooks.deliveries.request(delivery?.id ?? '')
  vi.useRealTimers()
  expect(verified(receiver.received[0]!, secret)).toBeTruthy()
  const { headers = {}, body = '' } = shown ?? {}
  expect(verified({ headers, body, before: 0 }, secret)).toBe(event.id)
})
