import { deadLetters } from '@oncekey/outbox'
import { beforeEach, describe, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

/** Makes ten events that a receiver refuses, and one that times out for good. */
async function deadOnes() {
  const hooks = database.hooks({ schedule: [] })
  const receiver = await startReceiver(({ body }, response) => {
    if (body.includes('hang')) response.destroy()
    else response.writeHead(422).end(`no: ${'x'.repeat(300)}`)
  })
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const events = Array.from({ length: 10 }, (_, n) =>
    eventOf({
      type: n < 5 ? 'order.created' : 'order.paid',
      subject: `order-${n}`,
      headers: { traceparent: '00-1-2-03' },
    }),
  )
  const hanging = eventOf({ type: 'hang' })
  await fanOut(hooks, database.pool(), [...events, hanging])
  const worker = hooks.createWorker({ endpointConcurrency: 50 })
  expect(await worker.deliverOnce()).toBe(11)
  return {
    hooks,
    receiver,
    endpoint,
    events,
    hanging,
    worker,
    dead: deadLetters(hooks.deadLetters),
  }
}

test('lists failed deliveries that will be retried, with their due times', async () => {
  const hooks = database.hooks({ schedule: [60_000, 60_000] })
  const receiver = await startReceiver((_, response) => response.writeHead(503).end('later'))
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const events = Array.from({ length: 5 }, (_, n) =>
    eventOf({ type: 'order.paid', subject: `order-${n}` }),
  )
  await fanOut(hooks, database.pool(), events)
  expect(await hooks.createWorker({ endpointConcurrency: 50 }).deliverOnce()).toBe(5)
  const untried = eventOf({ type: 'order.paid', subject: 'untried' })
  await fanOut(hooks, database.pool(), [untried])

  const letters = deadLetters(hooks.deadLetters)
  const seen = []
  let after: string | undefined
  do {
    const page = await letters.retrying({}, { limit: 2, ...(after !== undefined && { after }) })
    seen.push(...page.items)
    after = page.next
  } while (after !== undefined)
  expect(new Set(seen.map(({ eventId }) => eventId))).toEqual(new Set(events.map(({ id }) => id)))
  expect(seen).toHaveLength(5)
  const [letter] = seen
  expect(letter).toMatchObject({
    origin: endpoint.id,
    state: 'retrying',
    deadAt: null,
    attempts: 1,
    error: { code: '503' },
    resolution: null,
  })
  expect(letter?.dueAt?.getTime()).toBeGreaterThan(Date.now())
  expect(await letters.get(letter?.id ?? '')).toMatchObject({ state: 'retrying' })
  for (const [filter, count] of [
    [{ origin: endpoint.id, type: 'order.paid' }, 5],
    [{ subject: 'order-3' }, 1],
    [{ type: 'nothing.like.it' }, 0],
    [{ origin: 'nobody' }, 0],
  ] as const) {
    expect((await letters.retrying(filter)).items, JSON.stringify(filter)).toHaveLength(count)
  }
  expect((await letters.list()).items).toEqual([])
})

describe('a delivery that is given up', () => {
  test('is a dead letter with its event, every attempt and the reason', async () => {
    const { dead, endpoint, events } = await deadOnes()
    const { items } = await dead.list({ eventIds: [events[0]!.id] })
    const [letter] = items
    expect(letter).toMatchObject({
      origin: endpoint.id,
      state: 'dead',
      eventId: events[0]!.id,
      type: 'order.created',
      subject: 'order-0',
      reason: 'permanent',
      error: { name: 'WebhookError', code: '422', fingerprint: 'status 422' },
      attempts: 1,
      redrives: 0,
      deadAt: expect.any(Date),
      resolution: null,
    })
    expect(letter?.error?.message).toMatch(/^status 422: no: x+$/)
    expect(await dead.get(letter!.id)).toMatchObject({
      source: '/http',
      data: '{"id":"order-1"}',
      headers: { traceparent: '00-1-2-03' },
      history: [{ number: 1, error: { fingerprint: 'status 422' }, startedAt: expect.any(Date) }],
    })
    expect(await dead.get('123456')).toBeUndefined()
    expect(await dead.get('nonsense')).toBeUndefined()
  })

  test('is found by every part of a filter, and counted by it', async () => {
    const { dead, endpoint, events, hanging } = await deadOnes()
    const [first] = (await dead.list()).items
    const count = async (filter: Parameters<typeof dead.list>[0]) => {
      const { matched } = await dead.preview(filter ?? {})
      expect((await dead.list(filter)).items).toHaveLength(matched)
      return matched
    }
    expect(await count({})).toBe(11)
    expect(await count({ ids: [first!.id, 'nonsense', '0'] })).toBe(1)
    expect(await count({ eventIds: [hanging.id, 'nonsense'] })).toBe(1)
    expect(await count({ origin: endpoint.id })).toBe(11)
    expect(await count({ origin: 'another' })).toBe(0)
    expect(await count({ type: 'order.paid' })).toBe(5)
    expect(await count({ subject: 'order-3' })).toBe(1)
    expect(await count({ reason: 'permanent' })).toBe(10)
    expect(await count({ reason: 'exhausted' })).toBe(1)
    expect(await count({ fingerprint: 'status 422', type: 'order.created' })).toBe(5)
    expect(await count({ deadBefore: new Date(0) })).toBe(0)
    expect(await count({ deadAfter: new Date(0) })).toBe(11)
    expect(await count({ retired: true })).toBe(0)
    expect(events).toHaveLength(10)

    const seen = []
    let after: string | undefined
    do {
      const page = await dead.list({}, { limit: 4, ...(after !== undefined && { after }) })
      seen.push(...page.items.map(({ id }) => id))
      after = page.next
    } while (after !== undefined)
    expect(new Set(seen).size).toBe(11)
  })

  test('is redriven under the id of its event, and the preview counts what is redriven', async () => {
    const { dead, receiver, worker, hooks, events } = await deadOnes()
    receiver.answer(200)
    const filter = { type: 'order.paid' }
    const { matched } = await dead.preview(filter)
    const before = receiver.received.length
    const result = await dead.redrive(filter, { ratePerSecond: 100_000 })
    expect(result).toMatchObject({ matched, refused: [] })
    expect(result.redriven).toHaveLength(matched)
    expect(await worker.deliverOnce()).toBe(5)
    const again = receiver.received.slice(before).map(({ headers }) => headers['webhook-id'])
    expect(again.sort()).toEqual(
      events
        .slice(5)
        .map(({ id }) => id)
        .sort(),
    )
    expect(await dead.get(result.redriven[0]!)).toMatchObject({
      state: 'resolved',
      resolution: 'redriven',
      redrives: 1,
      reason: null,
    })
    expect(await hooks.deliveries.list({ state: 'dead' })).toHaveLength(6)
  })

  test('that cannot be redriven is reported with the reason', async () => {
    const { dead, receiver, worker } = await deadOnes()
    receiver.answer(200)
    const ids = (await dead.list()).items.map(({ id }) => id)
    const [delivered, discarded, retrying, other] = ids as [string, string, string, string]
    await dead.redrive({ ids: [delivered] })
    await worker.deliverOnce()
    expect(await dead.discard([discarded, delivered, '98765'], 'closed the account')).toEqual([
      { id: discarded, outcome: 'discarded' },
      { id: delivered, outcome: 'already-done' },
      { id: '98765', outcome: 'unknown' },
    ])
    await dead.redrive({ ids: [retrying] })
    const asked = [delivered, discarded, retrying, other, 'nonsense']
    const { redriven, refused } = await dead.redrive({ ids: asked, type: 'nothing' })
    expect(redriven).toEqual([])
    expect(refused).toEqual([
      { id: delivered, outcome: 'already-done' },
      { id: discarded, outcome: 'already-discarded' },
      { id: retrying, outcome: 'retrying' },
      { id: other, outcome: 'not-matched' },
      { id: 'nonsense', outcome: 'unknown' },
    ])
    expect(await dead.get(discarded)).toMatchObject({
      state: 'resolved',
      resolution: 'discarded',
      note: 'closed the account',
    })
    await expect(async () => dead.discard([other], ' ')).rejects.toThrow(/note/)
  })

  test('is redriven once by ten concurrent redrives', async () => {
    const { dead } = await deadOnes()
    const results = await Promise.all(
      Array.from({ length: 10 }, () => dead.redrive({}, { ratePerSecond: 100_000 })),
    )
    const redriven = results.flatMap((result) => result.redriven)
    expect(redriven).toHaveLength(11)
    expect(new Set(redriven).size).toBe(11)
  })

  test('counts in the statistics: depth, age, arrivals, departures and reasons', async () => {
    const { dead, endpoint } = await deadOnes()
    const [first] = (await dead.list({ reason: 'permanent' })).items
    await dead.discard([first!.id], 'looked at')
    const stats = await dead.stats()
    expect(stats).toMatchObject({ depth: 10, arrivedPerMinute: 11 / 60, drainedPerMinute: 1 / 60 })
    expect(stats.oldestAgeMs).toBeGreaterThanOrEqual(0)
    expect(stats.groups).toMatchObject([
      { origin: endpoint.id, fingerprint: 'status 422', count: 9 },
      { origin: endpoint.id, count: 1, sample: { name: 'WebhookError' } },
    ])
    await database.empty()
    expect(await dead.stats()).toMatchObject({ depth: 0, oldestAgeMs: null, groups: [] })
  })
})

describe('purge', () => {
  test('removes what has been kept long enough: deliveries, dead letters, then messages', async () => {
    const { hooks, receiver, worker, dead } = await deadOnes()
    receiver.answer(200)
    await dead.redrive({ type: 'order.paid' }, { ratePerSecond: 100_000 })
    await worker.deliverOnce()
    const age = (days: number) =>
      database.query(
        `with m as (
           update oncekey.webhook_messages set created_at = created_at - $1 * interval '1 day'
         ) update oncekey.webhook_deliveries set created_at = created_at - $1 * interval '1 day',
             ended_at = ended_at - $1 * interval '1 day', died_at = died_at - $1 * interval '1 day'`,
        [days],
      )
    const nothing = { deliveries: 0, ended: 0, messages: 0, endpoints: 0, more: false }
    expect(await hooks.purge()).toEqual(nothing)
    await age(8)
    expect(await hooks.purge({ limit: 3 })).toEqual({ ...nothing, deliveries: 3, more: true })
    expect(await hooks.purge({ limit: 3 })).toEqual({ ...nothing, deliveries: 2 })
    expect(await database.query('select from oncekey.webhook_attempts')).toHaveLength(6)
    await age(23)
    // A message is removed in the same call as the last delivery that needed it.
    expect(await hooks.purge()).toEqual({ ...nothing, deliveries: 6, messages: 11 })
    expect(await database.query('select from oncekey.webhook_attempts')).toHaveLength(0)
  })

  test('ends deliveries to endpoints that were disabled for too long, and removes deleted endpoints', async () => {
    const hooks = database.hooks()
    const { endpoint } = await hooks.endpoints.register({ url: 'https://a.example', types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    await hooks.endpoints.disable(endpoint.id)
    expect(await hooks.purge()).toMatchObject({ ended: 0 })
    await database.query(
      `with e as (
         update oncekey.webhook_endpoints set changed_at = now() - interval '31 days'
       ) update oncekey.webhook_deliveries set created_at = now() - interval '31 days'`,
    )
    expect(await hooks.purge()).toMatchObject({ ended: 1 })
    expect(await hooks.deliveries.list()).toMatchObject([{ state: 'ended', reason: 'expired' }])

    // This event was fanned out at the very moment when its endpoint was deleted, so the deletion
    // did not end the delivery.
    const second = await hooks.endpoints.register({ url: 'https://b.example', types: ['*'] })
    await fanOut(hooks, database.pool(), [eventOf()])
    await database.query(
      `update oncekey.webhook_endpoints set status = 'deleted', changed_at = now() - interval '8 days'
         where id = $1`,
      [second.endpoint.id],
    )
    expect(await hooks.purge()).toMatchObject({ ended: 1, endpoints: 0 })
    await database.query(
      `update oncekey.webhook_deliveries set ended_at = now() - interval '8 days'`,
    )
    // Removes that delivery and then its endpoint. The other deliveries belong to the disabled
    // endpoint.
    expect(await hooks.purge()).toMatchObject({ endpoints: 1 })
    expect(await hooks.endpoints.get(second.endpoint.id)).toBeUndefined()
  })

  test('keeps messages at least as long as deliveries', async () => {
    const hooks = database.hooks()
    await expect(
      hooks.purge({ retentionMs: 86_400_000, messageRetentionMs: 3_600_000 }),
    ).rejects.toThrow(/messageRetentionMs/)
    await expect(hooks.purge({ limit: 0 })).rejects.toThrow(/limit/)
  })
})
