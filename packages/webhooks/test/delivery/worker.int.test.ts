import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { migrate } from '@oncekey/postgres'
import { startProxy, waitFor } from '@oncekey/test-servers'
import { webhookMigrations } from '@oncekey/webhooks'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { claimDeliveries } from '../../src/statements/claims.ts'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

const events = (count: number) => Array.from({ length: count }, () => eventOf())
const pendingCount = async () =>
  Number(
    (
      await database.query<{ count: string }>(
        `select count(*) from oncekey.webhook_deliveries where state = 'pending'`,
      )
    )[0]?.count,
  )

/** A promise, and the function that resolves it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}

function listen(name: string): unknown[] {
  const messages: unknown[] = []
  const hear = (message: unknown): void => void messages.push(message)
  subscribe(name, hear)
  onTestFinished(() => void unsubscribe(name, hear))
  return messages
}

describe('claims', () => {
  const question = {
    limit: 10,
    perEndpoint: 100,
    underWay: new Map(),
    leaseMs: 30_000,
    breakerFailures: 5,
    mostUnfinished: 5,
  }
  const claim = async (changes: Partial<typeof question> = {}, pool = database.pool()) => {
    const { text, values } = claimDeliveries('oncekey', { ...question, ...changes })
    const { rows } = await pool.query<{ delivery: string }>(text, [...values])
    return rows.map(({ delivery }) => JSON.parse(delivery))
  }

  test('of fifty concurrent workers take each delivery once, and no worker more than its limit', async () => {
    const hooks = database.hooks()
    for (let n = 0; n < 10; n += 1) {
      await hooks.endpoints.register({ url: `https://hooks.example/${n}`, types: ['*'] })
    }
    await fanOut(hooks, database.pool(), events(60))
    const pool = database.pool({ max: 50 })
    const claims = await Promise.all(Array.from({ length: 50 }, () => claim({ limit: 7 }, pool)))
    expect(Math.max(...claims.map((each) => each.length))).toBeLessThanOrEqual(7)
    const ids = claims.flat().map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThan(300)
  })

  test('take no more from one endpoint than its concurrency limit, the oldest first', async () => {
    const hooks = database.hooks()
    const { endpoint } = await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    await hooks.endpoints.register({ url: 'https://b.example', types: ['*'] })
    const all = events(8)
    for (const event of all) await fanOut(hooks, database.pool(), [event])
    const claimed = await claim({ perEndpoint: 4, underWay: new Map([[endpoint.id, 1]]) })
    const of = (id: string) =>
      claimed.filter(({ endpointId }) => endpointId === id).map(({ messageId }) => messageId)
    expect(of(endpoint.id).sort()).toEqual(
      all
        .slice(0, 3)
        .map(({ id }) => id)
        .sort(),
    )
    expect(claimed).toHaveLength(7)
    expect(await claim({ perEndpoint: 1, underWay: new Map([[endpoint.id, 5]]) })).toHaveLength(1)
  })

  test('step from endpoint to endpoint along an index, and change no index entry', async () => {
    const hooks = database.hooks()
    await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    await database.query(
      `insert into oncekey.webhook_messages (id, type, source, headers, body, occurred_at)
         select gen_random_uuid(), 'a', '/', '{}', '{}', now() from generate_series(1, 20000)`,
    )
    await database.query(
      `insert into oncekey.webhook_deliveries (message_id, endpoint_id)
         select m.id, e.id from oncekey.webhook_messages m, oncekey.webhook_endpoints e`,
    )
    await database.query('vacuum analyze oncekey.webhook_deliveries')
    const client = await database.pool().connect()
    const { text, values } = claimDeliveries('oncekey', question)
    // Counters of this session alone: other backends report theirs at times of their own.
    const counts = async (): Promise<number[]> => {
      const { rows } = await client.query(
        `select array[n_tup_upd, n_tup_hot_upd, seq_scan]::int[] as counts
           from pg_stat_xact_user_tables where relname = 'webhook_deliveries'`,
      )
      return rows[0].counts
    }
    await client.query('begin')
    const before = await counts()
    const { rows: claimed } = await client.query(text, [...values])
    const after = await counts()
    await client.query('commit')
    client.release()
    expect(claimed).toHaveLength(10)
    const [updates, hot, scans] = after.map((count, at) => count - (before[at] ?? 0))
    expect({ updates, hot, scans }).toEqual({ updates: 10, hot: 10, scans: 0 })
  })

  test('without a recorded outcome are free again after the lease, with the next attempt number', async () => {
    const hooks = database.hooks()
    await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    expect(await claim()).toMatchObject([{ epoch: 1, number: 1, tries: 0 }])
    expect(await claim()).toEqual([])
    await database.query('update oncekey.webhook_deliveries set leased_until = now()')
    expect(await claim()).toMatchObject([{ epoch: 2, number: 2, tries: 0 }])
  })

  test('of a delivery that killed its worker five times stop: it is poison', async () => {
    const hooks = database.hooks()
    await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    for (let n = 0; n < 5; n += 1) {
      expect(await claim()).toHaveLength(1)
      await database.query('update oncekey.webhook_deliveries set leased_until = now()')
    }
    expect(await claim()).toEqual([])
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'dead', reason: 'poison' }])
  })
})

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
    // The next worker may send it at once: this was neither a try nor the endpoint's fault.
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

describe('a manual retry', () => {
  test('replaces the scheduled try', async () => {
    const hooks = database.hooks({ schedule: [3_600_000] })
    const receiver = await startReceiver(503)
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    const worker = hooks.createWorker()
    await worker.deliverOnce()
    const [delivery] = await hooks.deliveries.list()
    expect(await worker.deliverOnce()).toBe(0)
    receiver.answer(200)
    expect(await hooks.deliveries.retry(delivery!.id)).toBe('scheduled')
    expect(await worker.deliverOnce()).toBe(1)
    await database.query(`update oncekey.webhook_deliveries set due_at = now()`)
    expect(await worker.deliverOnce()).toBe(0)
    expect(receiver.received).toHaveLength(2)
  })

  test('goes at once, ahead of everything that waits, even if the breaker holds the endpoint', async () => {
    const hooks = database.hooks({ breakerFailures: 1, cooldownMs: 3_600_000, schedule: [0, 0, 0] })
    const receiver = await startReceiver(503)
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(3))
    const worker = hooks.createWorker()
    await worker.deliverOnce()
    expect(await worker.deliverOnce()).toBe(0)
    const [newest] = await hooks.deliveries.list()
    receiver.answer(200)
    expect(await hooks.deliveries.retry(newest!.id)).toBe('scheduled')
    expect(await worker.deliverOnce()).toBe(1)
    expect(receiver.received.at(-1)?.headers['webhook-id']).toBe(newest?.eventId)
    expect(await hooks.deliveries.get(newest!.id)).toMatchObject({ state: 'delivered' })

    await hooks.endpoints.pause(endpoint.id)
    expect(await hooks.deliveries.retry(newest!.id)).toBe('held')
    expect(await worker.deliverOnce()).toBe(0)
    await hooks.endpoints.resume(endpoint.id)
    expect(await worker.deliverOnce()).toBeGreaterThan(0)
  })

  test('sends a delivered webhook once more under the same id, and leaves one under way alone', async () => {
    const hooks = database.hooks()
    const [ends, arrived] = [gate(), gate()]
    const receiver = await startReceiver(async (_, response) => {
      arrived.open()
      await ends.opened
      response.writeHead(200).end()
    })
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), events(1))
    const worker = hooks.createWorker()
    const delivering = worker.deliverOnce()
    await arrived.opened
    const [delivery] = await hooks.deliveries.list()
    expect(delivery?.isUnderWay).toBe(true)
    expect(await hooks.deliveries.retry(delivery!.id)).toBe('under-way')
    ends.open()
    await delivering
    expect(await hooks.deliveries.retry(delivery!.id)).toBe('scheduled')
    expect(await worker.deliverOnce()).toBe(1)
    expect([...receiver.counts().values()]).toEqual([2])
    expect(receiver.received[1]?.headers['x-delivery-attempt']).toBe('2')
    expect(await hooks.deliveries.retry('99999')).toBeUndefined()
    expect(await hooks.deliveries.retry('nonsense')).toBeUndefined()
  })
})
