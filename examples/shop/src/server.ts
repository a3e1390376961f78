// One process of the shop: the API, the relay, the sagas, the webhooks.
import { randomUUID } from 'node:crypto'
import { dashboard } from '@oncekey/dashboard'
import { toNode } from '@oncekey/dashboard/node'
import idempotency from '@oncekey/fastify'
import { createRelay, deadLetters } from '@oncekey/outbox'
import { migrate, postgresLog, postgresStore } from '@oncekey/postgres'
import { createSagaRunner, sagaMigrations } from '@oncekey/saga'
import { prometheus } from '@oncekey/telemetry/prometheus'
import { webhookMigrations, webhooks } from '@oncekey/webhooks'
import Fastify from 'fastify'
import { register } from 'prom-client'
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
  // Only in this example, because the customer's endpoint is on this machine.
  allowHttp: true,
  allowAddresses: ['127.0.0.1'],
  timeoutMs: 1_000,
  schedule: [50, 100, 200, 400, 400, 400, 400, 400],
  cooldownMs: 50,
  maxCooldownMs: 200,
})
await migrate(client, { also: [sagaMigrations, webhookMigrations] })
for (const text of TABLES) await database.query(text)

const outside = outsideAt(env('OUTSIDE_URL'))
const order = orderSaga(outside)
const sagas = createSagaRunner<Tx>({ client, sagas: [order], leaseMs: 2_000, pollMs: 50 })
const log = postgresLog<Tx>({ client })
const consumers = [...reactions(sagas, order, outside), hooks.consumer]
const relay = createRelay<Tx>({
  log,
  consumers,
  leaseMs: 2_000,
})
const worker = hooks.createWorker({ leaseMs: 2_000, pollMs: 50 })

const store = postgresStore<Tx>({ client })
const once = idempotency.with({
  store,
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

// The state of the shop, and the acts of an operator.
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

// The dashboard for whoever is on call. A real shop asks its own login who that is.
const watched = {
  deadLetters: [log.deadLetters, sagas.deadLetters, hooks.deadLetters],
  lag: { log, consumers: consumers.map(({ name }) => name) },
}
const show = toNode(
  dashboard({
    ...watched,
    store,
    title: 'The shop',
    basePath: '/ops',
    authorize: () => ({ actor: 'you@shop.example', may: 'all' }),
  }),
)
await app.register(async (scope) => {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_, __, done) => done(null))
  for (const url of ['/ops', '/ops/*']) {
    scope.all(url, { config: { idempotency: false } }, (request, reply) => {
      reply.hijack()
      show(request.raw, reply.raw)
    })
  }
})
prometheus({ register, ...watched, keys: store.keys })
app.get('/metrics', async (_, reply) => {
  reply.type(register.contentType)
  return register.metrics()
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
