import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { deadLetters } from '@oncekey/outbox'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog } from '@oncekey/postgres'
import { type RabbitServer, startRabbit, waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { Connection } from 'rabbitmq-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import {
  distinct,
  emitNumbered,
  expectAllInOrder,
  impatient,
  type Numbered,
  relaying,
} from './broker-stream.ts'

const database = logDatabase()
let rabbit: RabbitServer

beforeAll(async () => {
  rabbit = await startRabbit()
}, 300_000)
afterAll(() => rabbit?.stop())

// A broker in alarm no longer reads from publishers: it refuses nothing and confirms nothing.
test('a memory alarm of the broker is waited out: all come, in order, and nothing is dead', async () => {
  const [publishing, reading] = [0, 1].map(
    () => new Connection({ url: rabbit.url, retryLow: 50, retryHigh: 500 }),
  ) as [Connection, Connection]
  for (const each of [publishing, reading]) each.on('error', () => {})
  let isBlocked = false
  publishing.on('connection.blocked', () => {
    isBlocked = true
  })
  const queue = 'alarmed'
  const queueOptions = { queue, durable: true }
  await reading.queueDeclare(queueOptions)
  const arrived: Numbered[] = []
  const consumer = reading.createConsumer({ queue, queueOptions, noAck: true }, (message) => {
    const { key, n } = message.body as { key: string; n: number }
    arrived.push({ id: String(message.messageId), key, n })
  })
  consumer.on('error', () => {})
  const publisher = rabbitmqPublisher<PoolClient>({
    ...impatient,
    attemptTimeoutMs: 500,
    name: queue,
    ordered: true,
    connection: publishing,
    exchange: '',
    routingKey: () => queue,
  })
  let failed = 0
  const onDelivery = (message: unknown): void => {
    if ((message as { consumer: string }).consumer === queue) failed += 1
  }
  subscribe('oncekey:delivery', onDelivery)
  const pool = database.pool()
  const keys = ['a', 'b', 'c']
  await relaying(pool, [publisher], async () => {
    await emitNumbered(pool, keys, 5)
    await waitFor(() => distinct(arrived) === 15, { what: 'what comes before the alarm' })
    await rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '1MB')
    await emitNumbered(pool, keys, 20, 5)
    await waitFor(() => isBlocked, { what: 'the connection to be blocked', timeoutMs: 20_000 })
    await waitFor(() => failed > 0, { what: 'an attempt to be over', timeoutMs: 20_000 })
    await rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '512MB')
    await waitFor(() => distinct(arrived) === 75, {
      what: 'all that waited',
      timeoutMs: 60_000,
    })
  })
  expectAllInOrder(arrived, keys, 25)
  expect(await deadLetters(postgresLog({ client: pool }).deadLetters).list()).toMatchObject({
    items: [],
  })
  unsubscribe('oncekey:delivery', onDelivery)
  await consumer.close()
  await publisher.close()
  for (const each of [publishing, reading]) each.unsafeDestroy()
}, 300_000)
