import { deadLetters } from '@oncekey/outbox'
import { amqplibConnection } from '@oncekey/outbox/amqplib'
import { rabbitmqPublisher } from '@oncekey/outbox/rabbitmq'
import { postgresLog, transact } from '@oncekey/postgres'
import { type RabbitServer, startRabbit, waitFor } from '@oncekey/test-servers'
import { connect } from 'amqplib'
import type { PoolClient } from 'pg'
import { Connection } from 'rabbitmq-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import { impatient, relaying } from './broker-stream.ts'

const database = logDatabase()
let rabbit: RabbitServer
let connection: Connection

beforeAll(async () => {
  rabbit = await startRabbit({ max_message_size: '100000' })
  connection = new Connection({ url: rabbit.url, retryLow: 50, retryHigh: 500 })
  connection.on('error', () => {})
}, 300_000)
afterAll(async () => {
  connection?.unsafeDestroy()
  await rabbit?.stop()
})

test.each([
  ['rabbitmq-client', () => connection],
  ['amqplib', () => amqplibConnection(() => connect(rabbit.url))],
])(
  "only a message over the broker's own limit, which is below maxMessageBytes, becomes a dead letter: %s",
  async (queue, connectionOf) => {
    const pool = database.pool()
    const queueOptions = { queue, durable: true }
    await connection.queueDeclare(queueOptions)
    const arrived = new Set<string>()
    const consumer = connection.createConsumer({ queue, queueOptions, noAck: true }, (message) => {
      arrived.add(String(message.messageId))
    })
    consumer.on('error', () => {})
    const publisher = rabbitmqPublisher<PoolClient>({
      ...impatient,
      name: queue,
      connection: connectionOf(),
      exchange: '',
      routingKey: () => queue,
      // maxMessageBytes keeps its default, which is above this broker's configured limit.
      maxAttempts: 30,
    })
    const dead = deadLetters(postgresLog({ client: pool }).deadLetters)
    const letters = await relaying(pool, [publisher], async () => {
      await transact(pool, (_, emit) => {
        for (let n = 0; n < 40; n += 1) {
          const data = n === 20 ? 'x'.repeat(200_000) : `${n}`
          emit({ type: 'order.sized', subject: `k${n}`, data })
        }
      })
      await waitFor(() => arrived.size === 39, { what: 'all that are small', timeoutMs: 60_000 })
      return waitFor(
        async () => {
          const { items } = await dead.list({ origin: queue })
          return items.length > 0 && items
        },
        { what: 'the dead letter', timeoutMs: 60_000 },
      )
    })
    await publisher.close()
    await consumer.close()
    expect(letters).toHaveLength(1)
    expect(letters[0]).toMatchObject({ reason: 'permanent', type: 'order.sized' })
    expect(letters[0]?.error?.message).toContain('100000')
  },
)
