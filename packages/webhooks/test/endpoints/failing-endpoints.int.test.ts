import { type WebhookEndpointMessage, webhooks } from '@oncekey/webhooks'
import { beforeEach, describe, expect, test } from 'vitest'
import { startReceiver, verified } from '../servers/receiver.ts'
import { eventOf, fanOut, LOCAL, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

describe('a ping', () => {
  test('returns the answer of an endpoint in any status, and records nothing', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver((_, response) => response.writeHead(418).end('a teapot'))
    const { endpoint, secret } = await hooks.endpoints.register({ url: receiver.url, types: ['a'] })
    await hooks.endpoints.disable(endpoint.id)
    expect(await hooks.endpoints.ping(endpoint.id)).toMatchObject({
      isDelivered: false,
      status: 418,
      error: 'status 418',
      body: 'a teapot',
    })
    verified(receiver.received[0]!, secret)
    expect(JSON.parse(receiver.received[0]!.body)).toMatchObject({
      type: 'webhook.test',
      data: { endpointId: endpoint.id },
    })
    receiver.answer(200)
    expect(await hooks.endpoints.ping(endpoint.id)).toMatchObject({
      isDelivered: true,
      status: 200,
    })
    expect(await hooks.deliveries.list()).toEqual([])
  })

  test('dials only addresses that a delivery may dial', async () => {
    const { endpoint } = await database
      .hooks()
      .endpoints.register({ url: 'http://127.0.0.1:1/', types: ['*'] })
    const hooks = webhooks({ client: database.pool() })
    expect(await hooks.endpoints.ping(endpoint.id)).toMatchObject({
      isDelivered: false,
      error: 'address-forbidden',
    })
  })
})

test('an endpoint that fails is reported once at 50, 70, 90 and 100 %, and then disabled', async () => {
  const told: WebhookEndpointMessage[] = []
  const receiver = await startReceiver(404)
  const hooks = database.hooks({
    ...LOCAL,
    disableAfterMs: 100_000,
    disableAfterAttempts: 1,
    disableAfterEvents: 1,
    onFailingEndpoint: (message) => void told.push(message),
  })
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const failAfter = async (seconds: number) => {
    await database.query(
      `update oncekey.webhook_endpoints
         set failing_since = now() - $1 * interval '1 second' where failing_since is not null`,
      [seconds],
    )
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
  }
  for (const seconds of [0, 30, 51, 60, 75, 95, 96]) await failAfter(seconds)
  expect(told.map(({ failingPercent, disabled }) => [failingPercent, disabled])).toEqual([
    [50, undefined],
    [70, undefined],
    [90, undefined],
  ])
  await failAfter(101)
  expect(told.at(-1)).toMatchObject({
    endpointId: endpoint.id,
    url: receiver.url,
    failingPercent: 100,
    disabled: 'failing',
    failingSince: expect.any(Date),
  })
  expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({
    status: 'disabled',
    reason: 'failing',
  })

  // Once it is enabled it has no failures, and after one success none are counted.
  await hooks.endpoints.enable(endpoint.id)
  await failAfter(0)
  expect((await hooks.endpoints.get(endpoint.id))?.failingSince).toEqual(expect.any(Date))
  receiver.answer(200)
  await failAfter(60)
  expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({ failingSince: null })
  receiver.answer(404)
  await failAfter(0)
  await failAfter(51)
  expect(told.slice(4).map(({ failingPercent }) => failingPercent)).toEqual([50])
})

describe('an endpoint is not disabled', () => {
  const past = (seconds: number) =>
    database.query(
      `update oncekey.webhook_endpoints
         set failing_since = now() - $1 * interval '1 second' where failing_since is not null`,
      [seconds],
    )

  test('for refusing two events, however far apart', async () => {
    const receiver = await startReceiver(404)
    const hooks = database.hooks({ ...LOCAL, disableAfterMs: 100_000 })
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    for (const _ of [1, 2]) {
      await fanOut(hooks, database.pool(), [eventOf()])
      await hooks.createWorker().deliverOnce()
      await past(1_000_000)
    }
    expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({ status: 'enabled' })
  })

  test('for one event, however often it is tried, but for many events it is', async () => {
    const receiver = await startReceiver(503)
    const hooks = database.hooks({
      ...LOCAL,
      schedule: Array.from({ length: 30 }, () => 0),
      breakerFailures: 1_000,
      disableAfterMs: 100_000,
    })
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const worker = hooks.createWorker()
    await fanOut(hooks, database.pool(), [eventOf()])
    for (let n = 0; n < 25; n++) {
      expect(await worker.deliverOnce()).toBe(1)
      await past(1_000_000)
    }
    expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({ status: 'enabled' })
    for (let n = 0; n < 4; n++) {
      await fanOut(hooks, database.pool(), [eventOf()])
      await worker.deliverOnce()
      await past(1_000_000)
    }
    expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({
      status: 'disabled',
      reason: 'failing',
    })
  })

  test('at the first attempt at a new URL, which starts without failures', async () => {
    const receiver = await startReceiver(503)
    const hooks = database.hooks({
      ...LOCAL,
      disableAfterMs: 100_000,
      disableAfterAttempts: 1,
      disableAfterEvents: 1,
    })
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    await past(1_000_000)
    const moved = await startReceiver(503)
    const updated = await hooks.endpoints.update(endpoint.id, { url: moved.url })
    expect(updated).toMatchObject({ status: 'enabled', failingSince: null })
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    expect(moved.received.length).toBeGreaterThan(0)
    expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({ status: 'enabled' })
  })
})
