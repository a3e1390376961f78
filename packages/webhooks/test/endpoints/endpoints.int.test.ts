import { webhooks } from '@oncekey/webhooks'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
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

    // A process without customerOf does not know to which customer an event belongs, so it sends
    // the event to nobody.
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

  test('gets nothing, and no process ends, where customerOf returns a promise that rejects', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const hooks = database.hooks({ customerOf: () => Promise.reject(new Error('broken')) as never })
    await expect(fanOut(hooks, database.pool(), [eventOf()])).rejects.toThrow(/customerOf/)
    // Node tells of unhandled rejections once the present turn is over.
    await database.query('select 1')
    expect(unhandled).toEqual([])
  })

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
