// One process of the shop: the API, the relay, the sagas, the webhooks.
import { randomUUID } from 'node:crypto'
import idempotency from '@oncekey/fastify'
import { createRelay, deadLetters } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { migrateSagas, sagaRunner } from '@oncekey/saga'
import { webhooks } from '@oncekey/webhooks'
import Fastify from 'fastify'
import { openDatabase, TABLES, type Tx } from './database.ts'
import { type Order, orderSaga } from './order-saga.ts'
import { outsideAt } from './outside-client.ts'
import { reactions } from './reactions.ts'

const env = (name: string) => process.env[name] ?? ''
const database = openDatabase({ url: process.env.DATABASE_URL, folder: env('DATA_FOLDER') })
const { client } = database
const hooks = webhooks<Tx>({
  client,
  customerOf: ({ data }) => (data as Order | null)?.customer,
  // Only here: the customer's endpoint is on this machine.
  allowHttp: true,
  allowAddresses: ['127.0.0.1'],
  timeoutMs: 1_000,
  schedule: [50, 100, 200, 400, 400, 400, 400, 400],
  cooldownMs: 50,
  maxCooldownMs: 200,
})
await migrate(client)
await migrateSagas(client)
await hooks.migrate()
for (const text of TABLES) await database.query(text)

const outside = outsideAt(env('OUTSIDE_URL'))
const order = orderSaga(outside)
const sagas = sagaRunner<Tx>({ client, sagas: [order], leaseMs: 2_000, pollMs: 50 })
const log = postgresLog<Tx>({ client })
const relay = createRelay<Tx>({
  log,
  consumers: [...reactions(sagas, order, outside), hooks.consumer],
  leaseMs: 2_000,
})
const worker = hooks.createWorker({ leaseMs: 2_000, pollMs: 50 })

const once = idempotency.with({
  store: postgresStore<Tx>({ client }),
  scope: (request) => String(request.headers['x-customer'] ?? ''),
  waitMs: 2_000,
})
const app = Fastify()
await app.register(once)

app.post<{ Body: Omit<Order, 'id' | 'customer'> }>('/orders', async (request, reply) => {
  const { transaction, emit, scope: customer } = once.of(request)
  const { item, cents, card, address } = request.body
  const placed: Order = { id: randomUUID(), customer, item, cents, card, address }
  const tx = await transaction()
  const sql = `insert into orders values ($1, $2, $3, $4, $5, $6, 'placed')`
  await tx.query(sql, [placed.id, customer, item, cents, card, address])
  emit({ type: 'order.placed', subject: placed.id, data: placed })
  return reply.code(201).send({ id: placed.id })
})

app.put<{ Body: { customer: string; url: string } }>('/endpoints', async (request) => {
  const { customer, url } = request.body
  const { secret } = await hooks.endpoints.register({ customer, url, types: ['order.*'] })
  return { secret }
})

// How the shop stands, and what an operator does about it.
app.get('/state', async () => {
  const { rows } = await database.query<{ state: string; count: number }>(
    'select state, count(*)::int as count from orders group by state',
  )
  const [mails, runs, deliveries] = await Promise.all(
    [log.deadLetters, sagas.deadLetters, hooks.deadLetters].map((of) => deadLetters(of).stats()),
  )
  return {
    orders: Object.fromEntries(rows.map(({ state, count }) => [state, count])),
    dead: { mails: mails?.depth, runs: runs?.depth, deliveries: deliveries?.depth },
  }
})
app.post('/redrive', { config: { idempotency: false } }, async () => {
  const results = await Promise.all(
    [log.deadLetters, sagas.deadLetters, hooks.deadLetters].map((of) =>
      deadLetters(of).redrive({}, { ratePerSecond: 1_000 }),
    ),
  )
  return { redriven: results.map(({ redriven }) => redriven.length) }
})

await app.listen({ host: '127.0.0.1', port: Number(env('PORT')) })
relay.start()
worker.start()
sagas.start()
console.log(JSON.stringify({ ready: true }))

process.once('SIGTERM', async () => {
  await app.close()
  await Promise.all([relay.stop(), worker.stop(), sagas.stop()])
  await database.close()
  process.exit(0)
})
