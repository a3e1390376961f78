import { waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

const events = (count: number) => Array.from({ length: count }, () => eventOf())
const endpointRow = async (id: string) => {
  const [row] = await database.query<{
    failures: number
    status: string
    reason: string | null
    wait: number | null
  }>(
    `select failures, status, reason,
        round(extract(epoch from blocked_until - now()) * 1000)::int as wait
       from oncekey.webhook_endpoints where id = $1`,
    [id],
  )
  return row!
}
const unblock = () => database.query(`update oncekey.webhook_endpoints set blocked_until = null`)
const makeAllDue = () =>
  database.query(`update oncekey.webhook_deliveries set due_at = now() where state = 'pending'`)

describe('one endpoint', () => {
  test('that never answers holds up no other, however much waits for it', async () => {
    const hooks = database.hooks()
    const dead = await startReceiver(() => {})
    const living = await startReceiver()
    // The dead endpoint comes first everywhere: it is registered first, and has the oldest
    // deliveries.
    await hooks.endpoints.register({ url: dead.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(200))
    await hooks.endpoints.register({ url: living.url, types: ['*'] })
    await hooks.endpoints.register({ url: living.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(50))
    const worker = hooks.createWorker({ concurrency: 10, endpointConcurrency: 4 })
    worker.start()
    onTestFinished(() => worker.stop({ timeoutMs: 0 }))
    // Less than the 10 seconds that one attempt to the dead endpoint takes.
    await waitFor(() => living.received.length === 100, { what: 'the others', timeoutMs: 9_000 })
    expect(dead.received.length).toBeLessThanOrEqual(4)
  })

  test('that fails five times in a row gets one delivery at a time, with cooldowns that double', async () => {
    const hooks = database.hooks({ cooldownMs: 10_000, maxCooldownMs: 30_000 })
    const receiver = await startReceiver(500)
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(20))
    const worker = hooks.createWorker()
    expect(await worker.deliverOnce()).toBe(5)
    expect(await worker.deliverOnce()).toBe(0)
    const pauses = [(await endpointRow(endpoint.id)).wait]
    for (let n = 0; n < 3; n += 1) {
      await unblock()
      expect(await worker.deliverOnce()).toBe(1)
      pauses.push((await endpointRow(endpoint.id)).wait)
    }
    expect(pauses.map((ms) => Math.round(Number(ms) / 5_000) * 5_000)).toEqual([
      10_000, 20_000, 30_000, 30_000,
    ])

    await unblock()
    receiver.answer(200)
    expect(await worker.deliverOnce()).toBe(1)
    expect(await endpointRow(endpoint.id)).toMatchObject({ failures: 0, wait: null })
    expect(await worker.deliverOnce()).toBe(5)
  })

  test('that answers with refusals is not held back', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver(422)
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(20))
    const worker = hooks.createWorker({ endpointConcurrency: 20 })
    expect(await worker.deliverOnce()).toBe(20)
    expect(await endpointRow(endpoint.id)).toMatchObject({ failures: 0, wait: null })
    expect((await hooks.endpoints.get(endpoint.id))?.failingSince).toEqual(expect.any(Date))
  })

  test.each([
    ['in so many seconds', { 'retry-after': '600' }],
    [
      'at a time by its own clock, which is years behind',
      { 'retry-after': 'Thu, 01 Jan 2015 00:10:00 GMT', date: 'Thu, 01 Jan 2015 00:00:00 GMT' },
    ],
  ])(
    'that asks us to come back %s gets nothing until then, and everything waits',
    async (_, headers) => {
      const hooks = database.hooks({ schedule: [1_000] })
      const receiver = await startReceiver((_, response) => response.writeHead(429, headers).end())
      const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
      await fanOut(hooks, database.pool(), events(10))
      const worker = hooks.createWorker({ endpointConcurrency: 1 })
      expect(await worker.deliverOnce()).toBe(1)
      await makeAllDue()
      expect(await worker.deliverOnce()).toBe(0)
      const { wait } = await endpointRow(endpoint.id)
      expect(wait).toBeGreaterThan(500_000)
      expect(wait).toBeLessThanOrEqual(600_000)
    },
  )

  // A bug: the success of a delivery that was under way when the endpoint asked us to wait ended
  // that wait, and its failure could make it shorter. Everything else was then sent.
  test.each([
    ['accepts', 204],
    ['fails to take', 500],
  ])(
    'that asks us to come back later, and then %s what is under way, gets nothing until then',
    async (_, status) => {
      const hooks = database.hooks({ schedule: [1_000], breakerFailures: 2 })
      let letGo = () => {}
      const held = new Promise<void>((resolve) => {
        letGo = resolve
      })
      let requests = 0
      const receiver = await startReceiver(async (_, response) => {
        requests += 1
        if (requests === 1) return void response.writeHead(429, { 'retry-after': '600' }).end()
        await held
        response.writeHead(status).end()
      })
      const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
      await fanOut(hooks, database.pool(), events(2))
      const worker = hooks.createWorker({ endpointConcurrency: 2 })
      const both = worker.deliverOnce()
      await waitFor(async () => (await endpointRow(endpoint.id)).wait !== null, { what: 'the 429' })
      letGo()
      expect(await both).toBe(2)
      await fanOut(hooks, database.pool(), events(1))
      expect(await worker.deliverOnce()).toBe(0)
      expect((await endpointRow(endpoint.id)).wait).toBeGreaterThan(500_000)
    },
  )

  test('that answers 410 is disabled, and its waiting deliveries are kept', async () => {
    const told: unknown[] = []
    const hooks = database.hooks({ onFailingEndpoint: (message) => void told.push(message) })
    const receiver = await startReceiver(410)
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(3))
    const worker = hooks.createWorker({ endpointConcurrency: 1 })
    expect(await worker.deliverOnce()).toBe(1)
    expect(await worker.deliverOnce()).toBe(0)
    expect(await endpointRow(endpoint.id)).toMatchObject({ status: 'disabled', reason: 'gone' })
    expect(told).toEqual([
      {
        endpointId: endpoint.id,
        customer: null,
        url: receiver.url,
        failingPercent: undefined,
        failingSince: expect.any(Date),
        disabled: 'gone',
      },
    ])
    expect(await hooks.deliveries.list({ state: 'dead' })).toMatchObject([{ reason: 'permanent' }])
    receiver.answer(200)
    await hooks.endpoints.enable(endpoint.id)
    expect(await hooks.createWorker().deliverOnce()).toBe(2)
  })

  test('that resolves to an internal address is not dialled', async () => {
    const receiver = await startReceiver()
    const port = new URL(receiver.url).port
    const addresses = [['127.0.0.1'], ['127.0.0.1', '10.0.0.1'], ['169.254.169.254']]
    const hooks = database.hooks({
      schedule: [0, 0, 0],
      resolve: async () => addresses.shift() ?? [],
    })
    await hooks.endpoints.register({ url: `http://hooks.example:${port}/`, types: ['*'] })
    await fanOut(hooks, database.pool(), events(3))
    const worker = hooks.createWorker({ endpointConcurrency: 1 })
    for (let n = 0; n < 3; n += 1) expect(await worker.deliverOnce()).toBe(1)
    expect(receiver.received).toHaveLength(1)
    expect(
      await database.query(
        'select error, message from oncekey.webhook_attempts where error is not null order by message',
      ),
    ).toMatchObject([
      { error: 'address-forbidden', message: expect.stringContaining('10.0.0.1') },
      { error: 'address-forbidden', message: expect.stringContaining('169.254.169.254') },
    ])
  })

  test("that redirects to a cloud's metadata service is not followed", async () => {
    const inside = await startReceiver()
    const receiver = await startReceiver((_, response) =>
      response.writeHead(302, { location: inside.url }).end(),
    )
    const hooks = database.hooks()
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    await hooks.createWorker().deliverOnce()
    expect(inside.received).toEqual([])
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'dead', error: 'status 302' }])
  })
})

test('verdicts of one endpoint that are recorded together count in the order of their attempts', async () => {
  const { recordVerdicts } = await import('../../src/statements/verdicts.ts')
  const { claimDeliveries } = await import('../../src/statements/claims.ts')
  const { sentWith } = await import('../../src/delivery/attempt-delivery.ts')
  const hooks = database.hooks()
  const { endpoint } = await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
  const policy = {
    breakerFailures: 100,
    cooldownMs: 1,
    maxCooldownMs: 1,
    disableAfterMs: 10 ** 9,
    disableAfterAttempts: 20,
    disableAfterEvents: 5,
  }
  const record = async (...taken: boolean[]) => {
    await fanOut(hooks, database.pool(), events(taken.length))
    const claim = claimDeliveries('oncekey', {
      limit: 100,
      perEndpoint: 100,
      underWay: new Map(),
      leaseMs: 60_000,
      breakerFailures: 100,
      mostUnfinished: 5,
      suspectFrom: 2,
      takesSuspect: true,
      mostBytes: 16_777_216,
      worker: 'here',
    })
    const claimed = await database.query<{ delivery: string }>(claim.text, [...claim.values])
    const { text, values } = recordVerdicts(
      'oncekey',
      claimed.map(({ delivery }, n) => ({
        ...JSON.parse(delivery),
        sent: sentWith(JSON.parse(delivery)),
        state: taken[n] ? 'delivered' : 'dead',
        reason: null,
        gone: false,
        delayMs: 0,
        blockMs: 0,
        blame: taken[n] ? 'none' : 'endpoint',
        status: 200,
        error: taken[n] ? null : 'status 500',
        message: null,
        durationMs: 1,
        body: null,
        truncated: false,
        unsent: false,
      })),
      policy,
    )
    await database.query(text, [...values])
    const { failures } = await endpointRow(endpoint.id)
    const failing = (await hooks.endpoints.get(endpoint.id))?.failingSince
    return [failures, failing !== null]
  }
  expect(await record(false, false)).toEqual([2, true])
  expect(await record(false)).toEqual([3, true])
  expect(await record(false, true)).toEqual([0, false])
  expect(await record(true, false, false)).toEqual([2, true])
  expect(await record(false, true, false)).toEqual([1, true])
  expect(await record(true, true)).toEqual([0, false])
})
