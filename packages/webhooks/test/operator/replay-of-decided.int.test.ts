import { deadLetters } from '@oncekey/outbox'
import { postgresRedrives } from '@oncekey/postgres'
import type { Endpoint, Webhooks } from '@oncekey/webhooks'
import type { PoolClient } from 'pg'
import { beforeEach, expect, test } from 'vitest'
import { startReceiver } from '../servers/receiver.ts'
import { eventOf, fanOut, webhooksDatabase } from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())
const by = { actor: 'maria@shop.example', note: 'the account was of another shop' }

/** Delivers what is due, until nothing is. */
async function deliverAll(hooks: Webhooks<PoolClient>): Promise<void> {
  const worker = hooks.createWorker()
  while ((await worker.deliverOnce()) > 0);
}

/** Replays the last day to an endpoint, and returns how many were sent and refused. */
async function replayed(hooks: Webhooks<PoolClient>, endpointId: string) {
  const since = new Date(Date.now() - 86_400_000)
  const id = (await hooks.deliveries.replay({ endpointId, since })) ?? ''
  const records = postgresRedrives({ client: database.pool() })
  const worker = hooks.createWorker()
  while ((await records.get(id))?.state === 'running') await worker.deliverOnce()
  await deliverAll(hooks)
  return await records.get(id)
}

/** The only dead letter is redriven with this data. */
async function editOnlyLetter(hooks: Webhooks<PoolClient>, data: string): Promise<string> {
  const dead = deadLetters(hooks.deadLetters)
  const [letter] = (await dead.list()).items
  const replaced = await dead.editAndRedrive(letter?.id ?? '', data, by)
  if (replaced.outcome !== 'replaced') throw new Error(replaced.outcome)
  return replaced.eventId
}

/** As if eight days had passed since all that has ended, and `purge` had run. */
async function purgedAfterEightDays(hooks: Webhooks<PoolClient>): Promise<void> {
  await database.query(
    `update oncekey.webhook_deliveries set ended_at = ended_at - interval '8 days'`,
  )
  await hooks.purge()
}

const idsOf = ({ received }: Awaited<ReturnType<typeof startReceiver>>) =>
  received.map(({ headers }) => headers['webhook-id'])

/** One event of a buyer and a seller, with a consumer for each. */
async function twoParties() {
  const [refusing, receiver] = [await startReceiver(400), await startReceiver(204)]
  const of = (party: string) =>
    database.hooks({ consumerName: party, customerOf: ({ headers }) => headers[party] })
  const [buyers, sellers] = [of('buyer'), of('seller')]
  const anas = await buyers.endpoints.register({
    url: receiver.url,
    types: ['*'],
    customer: 'ana',
  })
  const shops = await sellers.endpoints.register({
    url: refusing.url,
    types: ['*'],
    customer: 'shop',
  })
  const event = eventOf({ headers: { buyer: 'ana', seller: 'shop' } })
  for (const hooks of [buyers, sellers]) await fanOut(hooks, database.pool(), [event])
  await deliverAll(sellers)
  receiver.received.length = 0
  return { buyers, sellers, anas, shops, refusing, receiver, event }
}

// A bug: the message that an edit made was of the event's customer, and a replay made a delivery of
// it for every endpoint that wants its type. The buyer was sent the data of the seller.
test('what was edited for one party is replayed to no other', async () => {
  const { buyers, sellers, anas, shops, refusing, receiver, event } = await twoParties()
  const edited = await editOnlyLetter(sellers, '{"iban":"of the shop"}')
  const own = buyers.forCustomer('ana')
  await replayed({ ...buyers, deliveries: own.deliveries }, anas.endpoint.id)
  expect(idsOf(receiver)).toEqual([event.id])

  refusing.answer(204)
  refusing.received.length = 0
  await replayed(sellers, shops.endpoint.id)
  expect(idsOf(refusing)).toEqual([edited])
})

test('nor to another endpoint of the same customer, which has the message that it replaces', async () => {
  const [refusing, receiver] = [await startReceiver(400), await startReceiver(204)]
  const hooks = database.hooks()
  const endpoints: Endpoint[] = []
  for (const { url } of [refusing, receiver, receiver]) {
    endpoints.push((await hooks.endpoints.register({ url, types: ['*'] })).endpoint)
  }
  const event = eventOf()
  await fanOut(hooks, database.pool(), [event])
  await deliverAll(hooks)
  refusing.answer(204)
  const edited = await editOnlyLetter(hooks, '{"id":"order-2"}')
  await deliverAll(hooks)
  receiver.received.length = 0
  await replayed(hooks, endpoints[1]?.id ?? '')
  expect(idsOf(receiver)).toEqual([event.id])

  // What it was made for lasts longer than its delivery.
  await purgedAfterEightDays(hooks)
  receiver.received.length = 0
  refusing.received.length = 0
  await replayed(hooks, endpoints[2]?.id ?? '')
  await replayed(hooks, endpoints[0]?.id ?? '')
  expect(idsOf(receiver)).toEqual([event.id])
  expect(idsOf(refusing)).toEqual([edited])
})

// A bug: nothing but the delivery said that it was discarded. After seven days a purge removed it,
// and a replay sent what somebody had decided must not be sent.
test('what was discarded or replaced is not replayed after its delivery was purged', async () => {
  const receiver = await startReceiver(400)
  const hooks = database.hooks()
  const { endpoint } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  const dead = deadLetters(hooks.deadLetters)
  await fanOut(hooks, database.pool(), [eventOf()])
  await deliverAll(hooks)
  const [unwanted] = (await dead.list()).items
  await dead.discard([unwanted?.id ?? ''], by)
  await fanOut(hooks, database.pool(), [eventOf()])
  await deliverAll(hooks)
  receiver.answer(204)
  const edited = await editOnlyLetter(hooks, '{"id":"order-2"}')
  await deliverAll(hooks)
  const later = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
  await purgedAfterEightDays(hooks)
  expect(await hooks.deliveries.list()).toEqual([])
  receiver.received.length = 0

  expect(await replayed(hooks, endpoint.id)).toMatchObject({ matched: 3, redriven: 1, refused: 2 })
  expect(idsOf(receiver)).toEqual([edited])
  // It was a decision about the one endpoint.
  expect(await replayed(hooks, later.endpoint.id)).toMatchObject({ redriven: 2, refused: 0 })
})

// A bug: a message named its first customer only. After seven days a replay to the endpoint of the
// second party left the event out.
test('a second party is replayed what it was sent after the delivery was purged', async () => {
  const { sellers, buyers, anas, shops, refusing, receiver, event } = await twoParties()
  refusing.answer(204)
  const [letter] = (await sellers.deliveries.list({ endpointId: shops.endpoint.id })) ?? []
  await sellers.deliveries.retry(letter?.id ?? '')
  await deliverAll(sellers)
  await purgedAfterEightDays(sellers)
  refusing.received.length = 0
  await replayed(sellers, shops.endpoint.id)
  await replayed(buyers, anas.endpoint.id)
  expect([idsOf(refusing), idsOf(receiver)]).toEqual([[event.id], [event.id]])

  // The mark that an event was fanned out is for every party.
  await purgedAfterEightDays(sellers)
  for (const hooks of [buyers, sellers]) await fanOut(hooks, database.pool(), [event])
  expect(await sellers.deliveries.list()).toEqual([])
})
