import { randomBytes } from 'node:crypto'
import {
  generateKeyPair,
  generateSecret,
  type WebhookEndpointMessage,
  webhooks,
} from '@oncekey/webhooks'
import { beforeEach, describe, expect, test } from 'vitest'
import { startReceiver, verified } from '../servers/receiver.ts'
import { eventOf, fanOut, LOCAL, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

describe('an endpoint', () => {
  test('is registered, found, changed and listed', async () => {
    const { endpoints } = database.hooks()
    const url = 'https://hooks.example/a?b=c'
    const { endpoint, secret } = await endpoints.register({
      url,
      types: ['order.created', 'order.created', 'refund.*'],
      description: 'Größe 42',
    })
    expect(secret).toMatch(/^whsec_/)
    expect(endpoint).toMatchObject({
      url,
      types: ['order.created', 'refund.*'],
      description: 'Größe 42',
      status: 'enabled',
      reason: null,
      customer: null,
      failingSince: null,
      createdAt: expect.any(Date),
    })
    expect(await endpoints.get(endpoint.id)).toEqual(endpoint)
    expect(
      await endpoints.update(endpoint.id, { url: 'https://hooks.example/d', types: ['*'] }),
    ).toMatchObject({ url: 'https://hooks.example/d', types: ['*'], description: 'Größe 42' })

    const others = []
    for (let n = 0; n < 3; n += 1) others.push(await endpoints.register({ url, types: ['*'] }))
    const page = await endpoints.list({ limit: 2 })
    expect(page.map(({ id }) => id)).toEqual([endpoint.id, others[0]?.endpoint.id])
    const rest = await endpoints.list({ after: page.at(-1)!.id })
    expect(rest.map(({ id }) => id)).toEqual(others.slice(1).map((each) => each.endpoint.id))
    await endpoints.pause(endpoint.id)
    expect(await endpoints.list({ status: 'paused' })).toHaveLength(1)
  })

  test('that does not exist makes every call resolve with undefined', async () => {
    const { endpoints } = database.hooks()
    for (const id of ['0198c5e2-0000-7000-8000-000000000000', 'nonsense', '']) {
      expect(await endpoints.get(id)).toBeUndefined()
      expect(await endpoints.update(id, { types: ['*'] })).toBeUndefined()
      expect(await endpoints.pause(id)).toBeUndefined()
      expect(await endpoints.delete(id)).toBeUndefined()
      expect(await endpoints.rotateSecret(id)).toBeUndefined()
      expect(await endpoints.ping(id)).toBeUndefined()
      expect(await endpoints.secrets(id)).toEqual([])
    }
  })

  test('is not registered with a URL that cannot be delivered to, or without event types', async () => {
    const hooks = webhooks({ client: database.pool() })
    const register = (url: string, types = ['*']) => hooks.endpoints.register({ url, types })
    for (const url of [
      'https://127.0.0.1/',
      'https://localhost/',
      'https://api.localhost./',
      'https://2130706433/',
      'https://[::ffff:a9fe:a9fe]/',
    ]) {
      await expect(register(url)).rejects.toMatchObject({ code: 'address-forbidden' })
    }
    for (const url of ['http://hooks.example/', 'hooks', 'https://a:b@hooks.example/']) {
      await expect(register(url)).rejects.toMatchObject({ code: 'options-invalid' })
    }
    for (const types of [[], ['order.*.failed'], ['*.created'], ['order.'], ['.'], ['a b'], ['']]) {
      await expect(register('https://hooks.example/', types)).rejects.toThrow(/types/)
    }
    const { endpoint } = await register('https://hooks.example/')
    await expect(
      hooks.endpoints.update(endpoint.id, { url: 'https://169.254.169.254/' }),
    ).rejects.toMatchObject({ code: 'address-forbidden' })
  })

  test('of a customer gets the events of that customer and no other', async () => {
    const hooks = database.hooks({ customerOf: (event) => event.headers.customer })
    const receiver = await startReceiver()
    const register = (customer?: string) =>
      hooks.endpoints.register({ url: receiver.url, types: ['*'], ...(customer && { customer }) })
    await expect(register()).rejects.toThrow(/customer is missing/)
    const [acme, other] = [await register('acme'), await register('other')]
    const events = ['acme', 'other', 'stranger', undefined].map((customer) =>
      eventOf({ headers: customer === undefined ? {} : { customer } }),
    )
    await fanOut(hooks, database.pool(), events)
    expect(
      (await hooks.deliveries.list())
        .map(({ eventId, endpointId }) => [eventId, endpointId])
        .reverse(),
    ).toEqual([
      [events[0]?.id, acme.endpoint.id],
      [events[1]?.id, other.endpoint.id],
    ])
    expect(await hooks.endpoints.list({ customer: 'acme' })).toHaveLength(1)

    // A process without customerOf does not know whose an event is, so it sends it to nobody.
    const unaware = database.hooks()
    await fanOut(unaware, database.pool(), [eventOf({ headers: { customer: 'acme' } })])
    expect(await unaware.deliveries.list()).toHaveLength(2)
    await expect(
      unaware.endpoints.register({ url: receiver.url, types: ['*'], customer: 'acme' }),
    ).rejects.toThrow(/customerOf/)
  })

  test('of each customer that an event concerns gets it from two concurrent fan-outs', async () => {
    const receiver = await startReceiver()
    const parties = ['buyer', 'seller'].map((party) =>
      database.hooks({
        consumerName: `webhooks-${party}`,
        customerOf: (event) => event.headers[party],
      }),
    )
    const of = { url: receiver.url, types: ['*'] }
    for (const [at, customer] of ['ada', 'acme'].entries()) {
      await parties[at]?.endpoints.register({ ...of, customer })
    }
    const events = Array.from({ length: 20 }, () =>
      eventOf({ headers: { buyer: 'ada', seller: 'acme' } }),
    )
    const pool = database.pool()
    await Promise.all(
      events.flatMap((event) => parties.map((hooks) => fanOut(hooks, pool, [event]))),
    )
    // Each gets it once, even if the log delivers the event again.
    for (const hooks of parties) await fanOut(hooks, pool, events)
    for (const customer of ['ada', 'acme']) {
      const own = parties[0]?.forCustomer(customer).deliveries.list()
      expect((await own)?.map(({ eventId }) => eventId).sort()).toEqual(
        events.map(({ id }) => id).sort(),
      )
    }
  })

  test.each(['a\0b', 'a\ud800', 'x'.repeat(1_001)])(
    'cannot belong to a customer %j, whose events hold up no others',
    async (odd) => {
      const hooks = database.hooks({ customerOf: (event) => event.headers.customer })
      const of = { url: (await startReceiver()).url, types: ['*'] }
      await hooks.endpoints.register({ ...of, customer: 'acme' })
      await expect(hooks.endpoints.register({ ...of, customer: odd })).rejects.toThrow(/customer/)
      const events = [odd, 'acme'].map((customer) => eventOf({ headers: { customer } }))
      await fanOut(hooks, database.pool(), events)
      expect(await hooks.deliveries.list()).toMatchObject([{ eventId: events[1]?.id }])
    },
  )

  test('that is paused or disabled gets nothing until it is enabled, and then everything', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const worker = hooks.createWorker()
    const events = [eventOf(), eventOf(), eventOf(), eventOf()]
    const send = (event = eventOf()) => fanOut(hooks, database.pool(), [event])

    await send(events[0])
    expect(await hooks.endpoints.pause(endpoint.id, 'on request')).toMatchObject({
      status: 'paused',
      reason: 'on request',
    })
    await send(events[1])
    expect(await worker.deliverOnce()).toBe(0)
    expect(await hooks.endpoints.resume(endpoint.id)).toMatchObject({
      status: 'enabled',
      reason: null,
    })
    expect(await worker.deliverOnce()).toBe(2)

    await hooks.endpoints.disable(endpoint.id)
    await send(events[2])
    expect(await worker.deliverOnce()).toBe(0)
    await hooks.endpoints.enable(endpoint.id)
    await send(events[3])
    expect(await worker.deliverOnce()).toBe(2)
    expect([...receiver.counts().keys()].sort()).toEqual(events.map(({ id }) => id).sort())
  })

  test('that is deleted has its deliveries ended, even dead ones, and keeps no secret', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver(400)
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    const waiting = eventOf()
    await fanOut(hooks, database.pool(), [waiting])
    expect(await hooks.endpoints.delete(endpoint.id)).toMatchObject({ status: 'deleted' })

    const ended = { state: 'ended', reason: 'endpoint-deleted', dueAt: null }
    expect(await hooks.deliveries.list()).toMatchObject([ended, ended])
    expect(await hooks.createWorker().deliverOnce()).toBe(0)
    expect(await hooks.endpoints.list()).toEqual([])
    expect(await hooks.endpoints.secrets(endpoint.id)).toEqual([])
    expect(await hooks.endpoints.enable(endpoint.id)).toBeUndefined()
    const [last] = await hooks.deliveries.list({ eventId: waiting.id })
    expect(await hooks.deliveries.retry(last!.id)).toBe('ended')
    await fanOut(hooks, database.pool(), [eventOf()])
    expect(await hooks.deliveries.list()).toHaveLength(2)
  })

  test('that is deleted during a delivery stays deleted', async () => {
    const hooks = database.hooks()
    const id = { endpoint: '' }
    const receiver = await startReceiver(async (_, response) => {
      await hooks.endpoints.delete(id.endpoint)
      response.writeHead(500).end()
    })
    const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    id.endpoint = endpoint.id
    await fanOut(hooks, database.pool(), [eventOf()])
    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    expect(await hooks.deliveries.list()).toMatchObject([
      { state: 'ended', reason: 'endpoint-deleted' },
    ])
  })
})

describe('the secrets of an endpoint', () => {
  test('sign together during a rotation, and then only the new one does', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    const first = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const { id } = first.endpoint
    const second = await hooks.endpoints.rotateSecret(id)
    expect(await hooks.endpoints.secrets(id)).toMatchObject([
      { secret: second?.secret, expiresAt: null },
      { secret: first.secret, expiresAt: expect.any(Date) },
    ])
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    for (const secret of [first.secret, second!.secret]) verified(receiver.received[0]!, secret)

    const third = await hooks.endpoints.rotateSecret(id, { overlapMs: 0 })
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    verified(receiver.received[1]!, third!.secret)
    for (const secret of [first.secret, second!.secret]) {
      expect(() => verified(receiver.received[1]!, secret)).toThrow(/no signature fits/)
    }
  })

  test('that change between two attempts sign the second attempt', async () => {
    const hooks = database.hooks({ schedule: [0] })
    const rotated: string[] = []
    const id = { endpoint: '' }
    const receiver = await startReceiver(async ({ before }, response) => {
      const options = { overlapMs: 0 }
      if (before === 0) {
        const made = await hooks.endpoints.rotateSecret(id.endpoint, options)
        rotated.push(made!.secret)
      }
      response.writeHead(before === 0 ? 500 : 200).end()
    })
    const { endpoint, secret } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    id.endpoint = endpoint.id
    await fanOut(hooks, database.pool(), [eventOf()])
    const worker = hooks.createWorker()
    await worker.deliverOnce()
    await worker.deliverOnce()
    verified(receiver.received[0]!, secret)
    verified(receiver.received[1]!, ...rotated)
    expect(receiver.received[0]!.body).toBe(receiver.received[1]!.body)
  })

  test('that sign at the same time are at most ten', async () => {
    const hooks = database.hooks()
    const { endpoint } = await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    for (let n = 0; n < 12; n += 1) await hooks.endpoints.rotateSecret(endpoint.id)
    expect(await hooks.endpoints.secrets(endpoint.id)).toHaveLength(10)
  })

  test('of many concurrent rotations expire, except for the newest', async () => {
    const hooks = database.hooks()
    const { endpoint } = await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    const rotations = Array.from({ length: 6 }, () => hooks.endpoints.rotateSecret(endpoint.id))
    const made = await Promise.all(rotations)
    const [newest, ...others] = await hooks.endpoints.secrets(endpoint.id)
    expect(made.map((each) => each?.secret)).toContain(newest?.secret)
    expect(newest?.expiresAt).toBeNull()
    expect(others).toHaveLength(6)
    expect(others.filter(({ expiresAt }) => expiresAt === null)).toEqual([])
    const leaked = { overlapMs: 0 }
    await Promise.all([1, 2, 3].map(() => hooks.endpoints.rotateSecret(endpoint.id, leaked)))
    expect(await hooks.endpoints.secrets(endpoint.id)).toHaveLength(1)
  })

  test('may be ed25519 keys, of which the receiver gets the public half', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    const { endpoint, secret } = await hooks.endpoints.register({
      url: receiver.url,
      types: ['*'],
      signature: 'v1a',
    })
    expect(secret).toMatch(/^whpk_/)
    const next = await hooks.endpoints.rotateSecret(endpoint.id)
    expect(next?.secret).toMatch(/^whpk_/)
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    expect(receiver.received[0]!.headers['webhook-signature']).toMatch(/^v1a,\S+ v1a,\S+$/)
    for (const key of [secret, next!.secret]) verified(receiver.received[0]!, key)
    const { publicKey } = generateKeyPair()
    await expect(
      hooks.endpoints.register({ url: receiver.url, types: ['*'], secret: publicKey }),
    ).rejects.toThrow(/cannot sign/)
  })

  test('are sealed at rest, bound to their endpoints, and still opened by retired keys', async () => {
    const [old, current] = [randomBytes(32), randomBytes(32)]
    const before = database.hooks({ seal: { current: 'k1', keys: { k1: old } } })
    const receiver = await startReceiver()
    const secret = generateSecret()
    const { endpoint } = await before.endpoints.register({
      url: receiver.url,
      types: ['*'],
      secret,
    })
    const [row] = await database.query<{ secret: string; seal: string }>(
      'select secret, seal from oncekey.webhook_secrets',
    )
    expect(row?.seal).toBe('k1')
    expect(Buffer.from(row!.secret, 'base64').toString('latin1')).not.toContain('whsec')

    const hooks = database.hooks({ seal: { current: 'k2', keys: { k1: old, k2: current } } })
    const next = await hooks.endpoints.rotateSecret(endpoint.id)
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    for (const each of [secret, next!.secret]) verified(receiver.received[0]!, each)

    const other = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await database.query(
      `update oncekey.webhook_secrets t set secret = s.secret, seal = s.seal
         from oncekey.webhook_secrets s where t.endpoint_id = $1 and s.endpoint_id = $2`,
      [other.endpoint.id, endpoint.id],
    )
    await expect(hooks.endpoints.secrets(other.endpoint.id)).rejects.toMatchObject({
      code: 'seal-broken',
    })
  })

  test('that cannot be opened delay deliveries without counting against the endpoint', async () => {
    const seal = { current: 'k1', keys: { k1: randomBytes(32) } }
    const receiver = await startReceiver()
    const { endpoint } = await database
      .hooks({ seal })
      .endpoints.register({ url: receiver.url, types: ['*'] })
    const hooks = database.hooks({ breakerFailures: 1 })
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.createWorker().deliverOnce()
    expect(receiver.received).toEqual([])
    expect(await hooks.deliveries.list()).toMatchObject([
      { state: 'pending', error: 'seal-key-missing', attempts: 1 },
    ])
    expect(await hooks.endpoints.get(endpoint.id)).toMatchObject({ failingSince: null })
    expect(await database.query('select tries from oncekey.webhook_deliveries')).toEqual([
      { tries: 0 },
    ])
  })
})

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

  // Once enabled it starts without failures, and after one success nothing is held against it.
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

test('to a customer, an endpoint or delivery of somebody else does not exist', async () => {
  const receiver = await startReceiver(503)
  const hooks = database.hooks({ ...LOCAL, customerOf: (event) => event.headers.customer })
  const [ana, bob] = [hooks.forCustomer('ana'), hooks.forCustomer('bob')]
  const { endpoint } = await ana.endpoints.register({ url: receiver.url, types: ['*'] })
  expect(endpoint.customer).toBe('ana')
  await fanOut(hooks, database.pool(), [eventOf({ headers: { customer: 'ana' } })])
  await hooks.createWorker().deliverOnce()
  const [delivery] = await ana.deliveries.list()
  expect(delivery).toMatchObject({ endpointId: endpoint.id })

  expect(await bob.endpoints.list()).toEqual([])
  expect(await bob.endpoints.secrets(endpoint.id)).toEqual([])
  expect(await bob.deliveries.list()).toEqual([])
  expect(await bob.deliveries.list({ endpointId: endpoint.id })).toEqual([])
  for (const act of [
    () => bob.endpoints.get(endpoint.id),
    () => bob.endpoints.update(endpoint.id, { url: 'https://bob.example/' }),
    () => bob.endpoints.pause(endpoint.id),
    () => bob.endpoints.resume(endpoint.id),
    () => bob.endpoints.disable(endpoint.id),
    () => bob.endpoints.enable(endpoint.id),
    () => bob.endpoints.delete(endpoint.id),
    () => bob.endpoints.ping(endpoint.id),
    () => bob.endpoints.rotateSecret(endpoint.id),
    () => bob.deliveries.get(delivery!.id),
    () => bob.deliveries.retry(delivery!.id),
  ])
    expect(await act()).toBeUndefined()
  expect(receiver.received).toHaveLength(1)

  expect(await ana.endpoints.get(endpoint.id)).toEqual(await hooks.endpoints.get(endpoint.id))
  expect(await ana.endpoints.secrets(endpoint.id)).toHaveLength(1)
  expect(await ana.deliveries.get(delivery!.id)).toMatchObject({ id: delivery!.id })
  expect(await ana.endpoints.pause(endpoint.id)).toMatchObject({ status: 'paused' })
  expect(() => hooks.forCustomer('')).toThrow(/forCustomer/)
})
