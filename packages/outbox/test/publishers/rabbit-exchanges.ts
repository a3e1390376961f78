import { type GivenOrOwn, givenOrOwn, type RabbitServer, startRabbit } from '@oncekey/test-servers'
import type { Pool } from 'pg'
import { type AsyncMessage, Connection } from 'rabbitmq-client'
import { afterAll, beforeAll } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import type { Numbered } from './broker-stream.ts'

export const database = logDatabase()
export let pool: Pool
export let rabbit: GivenOrOwn<RabbitServer>
const connections: Connection[] = []

/**
 * Exchanges and queues to delete afterwards, so that a server given to the tests is left as it was.
 */
export const removals: (() => Promise<unknown>)[] = []

let names = 0

beforeAll(async () => {
  pool = database.pool()
  rabbit = await givenOrOwn('RABBITMQ_URL', startRabbit)
}, 180_000)

afterAll(async () => {
  try {
    await Promise.all(removals.map((remove) => remove()))
  } finally {
    for (const connection of connections.splice(0)) connection.unsafeDestroy()
    await rabbit?.stop()
  }
})

export function connected(url = rabbit.url()): Connection {
  const connection = new Connection({ url, retryLow: 50, retryHigh: 500, acquireTimeout: 3_000 })
  // The client reconnects, and the publisher reports what fails.
  connection.on('error', () => {})
  connections.push(connection)
  return connection
}

/** A number that nothing else of this process has in its name. */
export function nextNumber(): number {
  names += 1
  return names
}

/**
 * Creates an exchange with a queue for every key that begins with `order.`, and reads what arrived
 * in it.
 */
export async function freshExchange(kind: 'quorum' | 'classic' = 'quorum', url = rabbit.url()) {
  const name = `oncekey-${process.pid}-${nextNumber()}`
  const messages: AsyncMessage[] = []
  const queue = { queue: name, durable: true, arguments: { 'x-queue-type': kind } }
  const exchange = { exchange: name, type: 'topic', durable: true }
  const connection = connected(url)
  const consumer = connection.createConsumer(
    {
      queue: name,
      queueOptions: queue,
      exchanges: [exchange],
      queueBindings: [{ exchange: name, queue: name, routingKey: 'order.*' }],
    },
    async (message) => {
      messages.push(message)
    },
  )
  consumer.on('error', () => {})
  await new Promise<void>((resolve) => {
    consumer.once('ready', resolve)
  })
  if (rabbit.isGiven && url === rabbit.url()) {
    removals.push(async () => {
      await consumer.close()
      await connection.queueDelete(name)
      await connection.exchangeDelete({ exchange: name })
    })
  }
  const numbered = (): Numbered[] =>
    messages.map(({ messageId, body }) => ({ ...body, id: String(messageId) }))
  return { name, messages, numbered }
}
