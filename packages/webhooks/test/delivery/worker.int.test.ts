import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { migrate } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import { webhookMigrations } from '@oncekey/webhooks'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut } from '../servers/webhooks-database.ts'
import { database, events, gate } from './gates.ts'

const pendingCount = async () =>
  Number(
    (
      await database.query<{ count: string }>(
        `select count(*) from oncekey.webhook_deliveries where state = 'pending'`,
      )
    )[0]?.count,
  )

function listen(name: string): unknown[] {
  const messages: unknown[] = []
  const hear = (message: unknown): void => void messages.push(message)
  subscribe(name, hear)
  onTestFinished(() => void unsubscribe(name, hear))
  return messages
}

describe('a worker', () => {
  test('that lost its lease records nothing', async () => {
    const hooks = database.hooks()
    const [first, arrived] = [gate(), gate()]
    const receiver = await startReceiver(async ({ before }, response) => {
      arrived.open()
      if (before === 0) await first.opened
      response.writeHead(before === 0 ? 400 : 200).end()
    })
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    const slow = hooks.createWorker().deliverOnce()
    await arrived.opened
    await database.query('update oncekey.webhook_deliveries set leased_until = now()')
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    first.open()
    expect(await slow).toBe(1)
    const [delivery] = await hooks.deliveries.list()
    expect(await hooks.deliveries.get(delivery!.id)).toMatchObject({
      state: 'delivered',
      attempts: 2,
      history: [{ number: 2, status: 200 }],
    })
  })

  test('sends events fanned out in its own process at once, until it is stopped', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const worker = hooks.createWorker({ pollMs: 60_000 })
    worker.start()
    worker.start()
    for (let n = 0; n < 3; n += 1) {
      await fanOut(hooks, database.pool(), events(10))
      await waitFor(() => receiver.received.length === (n + 1) * 10, { what: 'all to arrive' })
    }
    await worker.stop()
    await fanOut(hooks, database.pool(), events(1))
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
  })

  test('that is stopped waits for attempts under way, and aborts those that do not end', async () => {
    const hooks = database.hooks()
    const ends = gate()
    const receiver = await startReceiver(async (_, response) => {
      await ends.opened
      response.writeHead(200).end()
    })
    const stuck = await startReceiver(() => {})
    await hooks.endpoints.register({ url: receiver.url, types: ['order.created'] })
    await hooks.endpoints.register({ url: stuck.url, types: ['stuck'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    const worker = hooks.createWorker()
    worker.start()
    await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
    const stopped = worker.stop()
    ends.open()
    await stopped
    expect(await pendingCount()).toBe(0)

    await fanOut(hooks, database.pool(), [eventOf({ type: 'stuck' })])
    worker.start()
    await waitFor(() => stuck.received.length === 1, { what: 'it to arrive' })
    await worker.stop({ timeoutMs: 50 })
    // The next worker may send it at once: this attempt counts neither as a try nor as the
    // endpoint's fault.
    expect(
      await database.query(
        `select state, error, tries, leased_until, due_at <= now() as is_due
           from oncekey.webhook_deliveries where state = 'pending'`,
      ),
    ).toEqual([{ state: 'pending', error: 'aborted', tries: 0, leased_until: null, is_due: true }])
  })

  test('that gets the reply to its claim too late gives the deliveries back uncounted', async () => {
    const hooks = database.hooks({ timeoutMs: 1_000 })
    await hooks.endpoints.register({ url: 'http://127.0.0.1:1/', types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    const proxy = await startProxy(Number(new URL(database.url()).port))
    onTestFinished(() => proxy.stop())
    const pool = database.pool({ connectionString: proxy.through(database.url()) })
    await pool.query('select')
    proxy.latency(600)
    const late = database.hooks({ client: pool, timeoutMs: 1_000 })
    expect(await late.createWorker({ leaseMs: 2_000 }).deliverOnce()).toBe(0)
    expect(
      await database.query(
        'select epoch, unfinished, leased_until from oncekey.webhook_deliveries',
      ),
    ).toEqual([{ epoch: 1, unfinished: 0, leased_until: null }])
  })

  test('records a verdict once the database is back, if its lease still holds', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    onTestFinished(() => proxy.stop())
    const pool = database.pool({ connectionString: proxy.through(database.url()) })
    const hooks = database.hooks({ client: pool })
    const errors = listen('oncekey:webhook-error')
    const receiver = await startReceiver((_, response) => {
      proxy.refuse()
      proxy.cut()
      response.writeHead(200).end()
    })
    await database.hooks().endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(database.hooks(), database.pool(), events(1))
    const delivering = hooks.createWorker().deliverOnce()
    await waitFor(() => errors.length >= 2, { what: 'two failures to settle' })
    await proxy.accept()
    expect(await delivering).toBe(1)
    expect(errors[0]).toMatchObject({ during: 'settle' })
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'delivered', attempts: 1 }])
    expect(receiver.received).toHaveLength(1)
  })

  test('continues after an outage of the database', async () => {
    const proxy = await startProxy(Number(new URL(database.url()).port))
    onTestFinished(() => proxy.stop())
    const pool = database.pool({ connectionString: proxy.through(database.url()) })
    const errors = listen('oncekey:webhook-error')
    const receiver = await startReceiver()
    await database.hooks().endpoints.register({ url: receiver.url, types: ['*'] })
    const worker = database.hooks({ client: pool }).createWorker({ pollMs: 50 })
    proxy.refuse()
    worker.start()
    onTestFinished(() => worker.stop())
    await waitFor(() => errors.length > 0, { what: 'a claim to fail' })
    expect(errors[0]).toMatchObject({ during: 'claim' })
    await proxy.accept()
    await fanOut(database.hooks(), database.pool(), events(1))
    await waitFor(() => receiver.received.length === 1, { what: 'it to arrive' })
  })

  test('publishes every attempt on a channel', async () => {
    const attempts = listen('oncekey:webhook-attempt')
    const hooks = database.hooks({ schedule: [5_000] })
    const receiver = await startReceiver(503)
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const event = eventOf()
    await fanOut(hooks, database.pool(), [event])
    await hooks.createWorker().deliverOnce()
    expect(attempts).toEqual([
      {
        deliveryId: expect.any(String),
        endpointId: endpoint.id,
        messageId: event.id,
        attempt: 1,
        state: 'retry',
        status: 503,
        error: 'status 503',
        durationMs: expect.any(Number),
        delayMs: expect.any(Number),
      },
    ])
  })

  test('refuses a lease that is too short, and reports missing tables', async () => {
    const hooks = database.hooks()
    expect(() => hooks.createWorker({ leaseMs: 10_500 })).toThrow(/at least timeoutMs/)
    // It was taken as 2 without a word.
    expect(() => hooks.createWorker({ maxUnfinished: 1 })).toThrow(/write at least 2/)
    expect(() => hooks.createWorker({ concurrency: 0 })).toThrow(/concurrency/)
    const elsewhere = database.hooks({ schema: 'elsewhere' })
    await expect(elsewhere.createWorker().deliverOnce()).rejects.toMatchObject({
      code: 'store-not-migrated',
      message: expect.stringContaining(
        "migrate(pool, { schema: 'elsewhere', also: [webhookMigrations] })",
      ),
    })
    await migrate(database.pool(), { schema: 'elsewhere', also: [webhookMigrations] })
    expect(await elsewhere.createWorker().deliverOnce()).toBe(0)
  })
})
