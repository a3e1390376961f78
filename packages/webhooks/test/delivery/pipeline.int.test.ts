import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PGlite } from '@electric-sql/pglite'
import { memoryStore } from '@oncekey/core'
import { idempotency } from '@oncekey/express'
import { createRelay } from '@oncekey/outbox'
import { migrate, postgresLog } from '@oncekey/postgres'
import { fromPglite } from '@oncekey/postgres/pglite'
import { waitFor } from '@oncekey/test-servers'
import { receiveWebhook, webhookMigrations, webhooks } from '@oncekey/webhooks'
import express from 'express'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startReceiver, verified } from '../servers/receiver.ts'
import {
  emitEvents,
  eventOf,
  fanOut,
  LOCAL,
  webhooksDatabase,
} from '../servers/webhooks-database.ts'

const database = webhooksDatabase()
beforeEach(() => database.empty())

describe('events of the outbox', () => {
  test('reach every endpoint that wants them through a relay and a worker', async () => {
    const pool = database.pool({ max: 10 })
    const hooks = database.hooks({ client: pool })
    const receivers = [await startReceiver(), await startReceiver()]
    const secrets: string[] = []
    for (const { url } of receivers) {
      const { secret } = await hooks.endpoints.register({ url, types: ['order.*'] })
      secrets.push(secret)
    }
    const relay = createRelay({ log: postgresLog({ client: pool }), consumers: [hooks.consumer] })
    const worker = hooks.createWorker()
    relay.start()
    worker.start()
    onTestFinished(async () => {
      await relay.stop()
      await worker.stop()
    })
    const data = { text: 'ö \u0000 \\ "', big: 2 ** 53 }
    const [order] = await emitEvents(pool, [
      { type: 'order.created', data },
      { type: 'refund.made', data },
    ])
    await waitFor(() => receivers.every(({ received }) => received.length === 1), {
      what: 'both to be told',
    })
    for (const [n, { received }] of receivers.entries()) {
      expect(verified(received[0]!, secrets[n]!)).toBe(order)
      expect(JSON.parse(received[0]!.body)).toMatchObject({ type: 'order.created', data })
    }
  })

  // A bug: the event counted as fanned out, and nobody was told of it.
  test.each(['webhook_messages', 'webhook_deliveries'])(
    'are tried again if a trigger drops what is written to %s',
    async (table) => {
      const pool = database.pool({ max: 10 })
      const hooks = database.hooks({ client: pool, consumerName: `dropped-${table}` })
      await hooks.endpoints.register({ url: 'https://shop.example/hook', types: ['order.*'] })
      const log = postgresLog({ client: pool })
      const relay = createRelay({ log, consumers: [hooks.consumer] })
      await relay.runOnce()
      await database.query(
        `create or replace function drop_it() returns trigger language plpgsql
           as $$ begin return null; end $$`,
      )
      await database.query(
        `create trigger drops before insert on oncekey.${table}
           for each row execute function drop_it()`,
      )
      const [order] = await emitEvents(pool, [{ type: 'order.created', data: {} }])
      await relay.runOnce()
      await database.query(`drop trigger drops on oncekey.${table}`)
      await waitFor(
        async () => {
          await relay.runOnce()
          const made = await database.query(
            'select from oncekey.webhook_deliveries where message_id = $1',
            [order],
          )
          return made.length === 1
        },
        { what: 'the delivery' },
      )
      await relay.stop()
    },
  )

  test('commit all of their deliveries and the inbox row together, or none', async () => {
    const pool = database.pool({ max: 10 })
    const hooks = database.hooks({ client: pool, consumerName: 'all-or-none' })
    for (const name of ['a', 'b']) {
      await hooks.endpoints.register({ url: `https://${name}.example`, types: ['*'] })
    }
    const [id] = await emitEvents(pool, [{ type: 'order.created' }])
    const relay = createRelay({ log: postgresLog({ client: pool }), consumers: [hooks.consumer] })
    onTestFinished(() => relay.stop())
    const marks = () =>
      database.query(
        `select from oncekey.processed_events where consumer = 'all-or-none' and event_id = $1`,
        [id],
      )
    // The second of two deliveries fails.
    await database.query(`
      create function oncekey.no_more() returns trigger language plpgsql as $$
        begin
          if (select count(*) from oncekey.webhook_deliveries where message_id = new.message_id) > 0
            then raise exception 'no more';
          end if;
          return new;
        end $$`)
    await database.query(`create trigger no_more before insert on oncekey.webhook_deliveries
      for each row execute function oncekey.no_more()`)
    await relay.runOnce()
    expect(await hooks.deliveries.list({ eventId: id! })).toEqual([])
    expect(await marks()).toEqual([])

    await database.query('drop trigger no_more on oncekey.webhook_deliveries')
    await waitFor(
      async () => {
        await relay.runOnce()
        return (await hooks.deliveries.list({ eventId: id! })).length === 2
      },
      { what: 'the event to be tried again' },
    )
    expect(await marks()).toHaveLength(1)
  })

  test('on PGlite are delivered by the same code', { timeout: 300_000 }, async () => {
    const db = new PGlite()
    onTestFinished(() => db.close())
    const client = fromPglite(db)
    await migrate(client, { also: [webhookMigrations] })
    await migrate(client, { also: [webhookMigrations] })
    const hooks = webhooks({ client, ...LOCAL, schedule: [0] })
    const receiver = await startReceiver(({ before }, response) =>
      response.writeHead(before === 0 ? 500 : 200).end(),
    )
    const { endpoint, secret } = await hooks.endpoints.register({ url: receiver.url, types: ['*'] })
    const { appendEventsStatement } = await import('@oncekey/postgres/client')
    const { outboxEvent } = await import('@oncekey/core')
    const event = outboxEvent({ type: 'order.created' }, { source: '/', traceparent: undefined })
    await client.query(appendEventsStatement('"oncekey"')([event]), { timeoutMs: 5_000 })

    const relay = createRelay({ log: postgresLog({ client }), consumers: [hooks.consumer] })
    onTestFinished(() => relay.stop())
    await waitFor(async () => (await relay.runOnce()) > 0, { what: 'the event to be relayed' })
    const worker = hooks.createWorker()
    expect(await worker.deliverOnce()).toBe(1)
    await waitFor(async () => (await worker.deliverOnce()) === 1, { what: 'the second try' })
    expect(verified(receiver.received[1]!, secret)).toBe(event.id)
    await hooks.endpoints.rotateSecret(endpoint.id)
    receiver.answer(200)
    expect(await hooks.endpoints.ping(endpoint.id)).toMatchObject({ isDelivered: true })
    const [delivery] = await hooks.deliveries.list()
    expect(await hooks.deliveries.get(delivery!.id)).toMatchObject({
      state: 'delivered',
      history: [{ status: 500 }, { status: 200 }],
    })
    expect(await hooks.deadLetters.stats()).toMatchObject({ depth: 0 })
    expect(await hooks.purge({ retentionMs: 0, messageRetentionMs: 0 })).toMatchObject({
      deliveries: 1,
      messages: 1,
    })
    await hooks.endpoints.delete(endpoint.id)
  })
})

test('migrations run once when many processes run them at once, beside those of the store', async () => {
  const pools = Array.from({ length: 10 }, () => database.pool({ max: 1 }))
  await Promise.all(
    pools.map((client) => migrate(client, { schema: 'at_once', also: [webhookMigrations] })),
  )
  const ran = await database.query(
    "select package, version from at_once.migrations where package = 'webhooks'",
  )
  expect(ran).toEqual(
    webhookMigrations.migrations.map((_, at) => ({ package: 'webhooks', version: at + 1 })),
  )
})

test('our sender retries until our receiver, whose first attempt hangs and fails, has taken the event', async () => {
  let finishFirst = () => {}
  const first = new Promise<void>((resolve) => {
    finishFirst = resolve
  })
  const effects: number[] = []
  const statuses: number[] = []
  let secret = ''
  const received = idempotency({
    store: memoryStore(),
    ...receiveWebhook({ secrets: () => [secret] }),
  })
  const app = express()
  app.use((_, res, next) => {
    res.on('close', () => void statuses.push(res.statusCode))
    next()
  })
  app.post('/', express.raw({ type: () => true, limit: '1mb' }), received, async (_, res) => {
    effects.push(effects.length)
    if (effects.length > 1) return void res.status(204).end()
    await first
    res.status(500).end()
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())

  const hooks = database.hooks({ ...LOCAL, timeoutMs: 200, schedule: [0, 0, 0, 0, 0, 0, 0, 0] })
  const { port } = server.address() as AddressInfo
  const endpoint = await hooks.endpoints.register({
    url: `http://127.0.0.1:${port}/`,
    types: ['*'],
  })
  secret = endpoint.secret
  await fanOut(hooks, database.pool(), [eventOf()])
  const worker = hooks.createWorker()
  // The first attempt takes too long; the retries are refused because it is still running.
  await worker.deliverOnce()
  await worker.deliverOnce()
  expect(statuses).toContain(503)
  finishFirst()
  await waitFor(
    async () => {
      await worker.deliverOnce()
      return (await hooks.deliveries.list())[0]?.state === 'delivered'
    },
    { what: 'the delivery' },
  )
  expect(effects).toEqual([0, 1])
})
