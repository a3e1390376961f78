import { expect, test } from 'vitest'
import { type ClaimQuestion, claimDeliveries, OUT_OF_REACH } from '../../src/statements/claims.ts'
import { eventOf, fanOut } from '../servers/webhooks-database.ts'
import { database } from './gates.ts'

const question: ClaimQuestion = {
  limit: 2,
  perEndpoint: 1,
  underWay: new Map(),
  leaseMs: 30_000,
  breakerFailures: 5,
  mostUnfinished: 5,
  suspectFrom: 2,
  takesSuspect: true,
  mostBytes: 16_777_216,
  worker: 'here',
}

/** Claims, and returns how many deliveries of each customer were claimed. */
async function claim(changes: Partial<ClaimQuestion> = {}): Promise<Record<string, number>> {
  const { text, values } = claimDeliveries('oncekey', { ...question, ...changes })
  const claimed = await database.query<{ delivery: string }>(text, [...values])
  const counts: Record<string, number> = {}
  for (const { delivery } of claimed) {
    const { hostname } = new URL(JSON.parse(delivery).url)
    counts[hostname] = (counts[hostname] ?? 0) + 1
  }
  return counts
}

/** A customer with so many endpoints, and so many events for each of them. */
async function customer(
  name: string,
  { endpoints, events, ...ways }: { endpoints: number; events: number; rate?: number },
): Promise<string[]> {
  const hooks = database.hooks({ customerOf: ({ headers }) => headers.customer })
  const ids: string[] = []
  for (let n = 0; n < endpoints; n += 1) {
    const url = `https://${name}/${n}`
    const registered = await hooks.endpoints.register({
      customer: name,
      url,
      types: ['*'],
      ...ways,
    })
    ids.push(registered.endpoint.id)
  }
  const all = Array.from({ length: events }, () => eventOf({ headers: { customer: name } }))
  await fanOut(hooks, database.pool(), all)
  return ids
}

// A bug: the share was one of each endpoint, so a customer with a thousand of them had a thousand.
test('a claim gives a customer with many endpoints no more than one with a single one', async () => {
  await customer('many', { endpoints: 40, events: 1 })
  await customer('few', { endpoints: 1, events: 20 })
  for (let n = 0; n < 4; n += 1) expect(await claim()).toEqual({ many: 1, few: 1 })
  expect(await claim({ limit: 10, perEndpoint: 5 })).toEqual({ many: 5, few: 5 })
})

test('the next place goes to the customer who has the fewest deliveries under way', async () => {
  const many = await customer('many', { endpoints: 20, events: 2 })
  const [few] = await customer('few', { endpoints: 1, events: 20 })
  const underWay = new Map<string, number>([
    [many[0] as string, 2],
    [many[1] as string, 2],
    [few as string, 3],
  ])
  for (let n = 0; n < 4; n += 1) {
    expect(await claim({ limit: 1, perEndpoint: 5, underWay })).toEqual({ few: 1 })
  }
  underWay.set(few as string, 5)
  expect(await claim({ limit: 1, perEndpoint: 5, underWay })).toEqual({ many: 1 })
})

test('an endpoint to which a worker cannot send holds no place of its customer', async () => {
  const [unreached] = await customer('few', { endpoints: 2, events: 5 })
  const [other] = await customer('other', { endpoints: 2, events: 5 })
  const underWay = new Map([
    [unreached as string, OUT_OF_REACH],
    [other as string, 1],
  ])
  for (let n = 0; n < 4; n += 1) expect(await claim({ limit: 1, underWay })).toEqual({ few: 1 })
})

test('what rests counts for its customer, too', async () => {
  const [resting] = await customer('rested', { endpoints: 2, events: 2, rate: 1 })
  await customer('other', { endpoints: 1, events: 5 })
  await database.query(
    `update oncekey.webhook_endpoints set rate_free_at = now() + interval '1 hour' where id = $1`,
    [resting],
  )
  const underWay = new Map([[resting as string, 1]])
  for (let n = 0; n < 4; n += 1) expect(await claim({ limit: 1, underWay })).toEqual({ other: 1 })
})

test('endpoints that have nothing due do not use up the turn of their customer', async () => {
  await customer('many', { endpoints: 40, events: 1 })
  await customer('few', { endpoints: 10, events: 1 })
  const later = async (which: string) =>
    database.query(
      `update oncekey.webhook_deliveries d set ${which}
         where d.endpoint_id in (select id from oncekey.webhook_endpoints
           where customer = 'few' and url <> 'https://few/7')`,
    )
  await later(`due_at = now() + interval '1 hour'`)
  expect(await claim()).toEqual({ many: 1, few: 1 })
  await database.query('update oncekey.webhook_deliveries set leased_until = null')
  await later(`due_at = now(), leased_until = now() + interval '1 hour'`)
  expect(await claim()).toEqual({ many: 1, few: 1 })
})

test('endpoints with a rate are locked by turns of their customers', async () => {
  await customer('many', { endpoints: 40, events: 1, rate: 10 })
  await customer('few', { endpoints: 1, events: 1, rate: 10 })
  expect(await claim()).toEqual({ many: 1, few: 1 })
})

test('without customers each endpoint is a party of its own', async () => {
  const hooks = database.hooks()
  const ids: string[] = []
  for (const name of ['a', 'b', 'c']) {
    const { endpoint } = await hooks.endpoints.register({ url: `https://${name}/`, types: ['*'] })
    ids.push(endpoint.id)
  }
  await fanOut(hooks, database.pool(), [eventOf(), eventOf()])
  expect(await claim({ limit: 3, perEndpoint: 5, underWay: new Map([[ids[0]!, 1]]) })).toEqual({
    b: expect.any(Number),
    c: expect.any(Number),
  })
})
