import { waitFor } from '@oncekey/test-servers'
import { beforeEach, describe, expect, test } from 'vitest'
import { startReceiver, verified } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

describe('a webhook', () => {
  test('arrives signed, under the id of its event, with its attempt counted', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    const { endpoint, secret } = await hooks.endpoints.register({
      url: receiver.url,
      types: ['order.*'],
    })
    const event = eventOf({ data: { id: 'ö-1' }, occurredAt: new Date('2026-01-02T03:04:05.678Z') })
    await fanOut(hooks, database.pool(), [event])

    expect(await hooks.createWorker().deliverOnce()).toBe(1)
    const [received] = receiver.received
    expect(verified(received!, secret)).toBe(event.id)
    expect(received!.headers).toMatchObject({
      'webhook-id': event.id,
      'x-event-id': event.id,
      'x-delivery-attempt': '1',
      'content-type': 'application/json',
    })
    expect(received!.body).toBe(
      '{"type":"order.created","timestamp":"2026-01-02T03:04:05.678Z","data":{"id":"ö-1"}}',
    )
    expect(await hooks.deliveries.list()).toMatchObject([
      { eventId: event.id, endpointId: endpoint.id, state: 'delivered', attempts: 1, error: null },
    ])
    expect(await hooks.createWorker().deliverOnce()).toBe(0)
  })

  test('is shown as it would be sent now, signed, without the values of its own headers', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    const { endpoint, secret } = await hooks.endpoints.register({
      url: receiver.url,
      types: ['order.*'],
      headers: { authorization: 'Bearer 4242' },
    })
    const event = eventOf({ data: { id: 'ö-1' } })
    await fanOut(hooks, database.pool(), [event])
    const [delivery] = await hooks.deliveries.list()
    const request = await hooks.deliveries.request(delivery!.id)
    expect(request).toMatchObject({ method: 'POST', url: receiver.url })
    expect(request!.headers.authorization).toBe('(not shown)')
    expect(verified(request as never, secret)).toBe(event.id)
    expect(receiver.received).toEqual([])

    await hooks.createWorker().deliverOnce()
    const names = Object.keys(receiver.received[0]!.headers)
    expect(names).toEqual(expect.arrayContaining(Object.keys(request!.headers)))
    expect(receiver.received[0]!.body).toBe(request!.body)
    expect(await hooks.deliveries.request('999999')).toBeUndefined()
    await hooks.endpoints.delete(endpoint.id)
    expect(await hooks.deliveries.request(delivery!.id)).toBeUndefined()
  })

  test('is retried with the same bytes until it is accepted, and every attempt is recorded', async () => {
    const hooks = database.hooks({ schedule: [0, 0, 0] })
    const receiver = await startReceiver(({ before }, response) => {
      response.writeHead(before < 2 ? 503 : 200).end(`try ${before}`)
    })
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    const worker = hooks.createWorker()
    await waitFor(async () => (await worker.deliverOnce()) === 0, { what: 'nothing to be due' })

    expect(receiver.received.map(({ headers }) => headers['x-delivery-attempt'])).toEqual([
      '1',
      '2',
      '3',
    ])
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1)
    const [delivery] = await hooks.deliveries.list()
    expect(await hooks.deliveries.get(delivery!.id)).toMatchObject({
      state: 'delivered',
      payload: receiver.received[0]!.body,
      history: [
        { number: 1, status: 503, error: 'status 503', body: 'try 0', isTruncated: false },
        { number: 2, status: 503, error: 'status 503', body: 'try 1' },
        { number: 3, status: 200, error: null, body: 'try 2' },
      ],
    })
  })

  test('goes only to endpoints that want its type', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    for (const types of [['order.created'], ['order.*'], ['order.item.*'], ['refund.*'], ['*']]) {
      await hooks.endpoints.register({ url: `${receiver.url}?${types}`, types })
    }
    const typesTold = async (type: string) => {
      await fanOut(hooks, database.pool(), [eventOf({ type })])
      const told = await hooks.deliveries.list()
      const all = await hooks.endpoints.list()
      await database.query('delete from oncekey.webhook_deliveries')
      return told.map(({ endpointId }) => all.find(({ id }) => id === endpointId)?.types[0]).sort()
    }
    expect(await typesTold('order.created')).toEqual(['*', 'order.*', 'order.created'])
    expect(await typesTold('order.item.added')).toEqual(['*', 'order.*', 'order.item.*'])
    expect(await typesTold('order')).toEqual(['*'])
    expect(await typesTold('orders.created')).toEqual(['*'])
    expect(
      (await hooks.endpoints.list({ type: 'refund.made' })).map(({ types }) => types[0]),
    ).toEqual(['refund.*', '*'])
  })

  test('is fanned out once, however often its event is delivered', async () => {
    const hooks = database.hooks()
    const receiver = await startReceiver()
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const event = eventOf()
    const pool = database.pool({ max: 50 })
    await Promise.all(Array.from({ length: 50 }, () => fanOut(hooks, pool, [event])))
    await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    await fanOut(hooks, pool, [event])
    expect(await hooks.deliveries.list({ eventId: event.id })).toHaveLength(1)
  })
})
