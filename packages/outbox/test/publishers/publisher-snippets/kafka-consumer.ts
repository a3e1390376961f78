import { setTimeout as sleep } from 'node:timers/promises'
import { inbox } from '@oncekey/postgres'
import {
  Consumer,
  type Message,
  Producer,
  stringDeserializer,
  stringSerializer,
} from '@platformatic/kafka'
import { Pool } from 'pg'

const ATTEMPTS = 10
const pool = new Pool()
pool.on('error', console.error)
const client = { clientId: 'billing', bootstrapBrokers: ['127.0.0.1:9092'] }
const consumer = new Consumer<Buffer, Buffer, string, string>({
  ...client,
  groupId: 'billing',
  deserializers: { headerKey: stringDeserializer, headerValue: stringDeserializer },
})
const producer = new Producer<Buffer, Buffer, string, string>({
  ...client,
  serializers: { headerKey: stringSerializer, headerValue: stringSerializer },
})

const billing = inbox({ client: pool, consumer: 'billing' })

async function take(message: Message<Buffer, Buffer, string, string>): Promise<void> {
  const { topic, partition, offset, key, value, headers } = message
  const id = headers.get('ce_id') ?? `${topic}/${partition}/${offset}`
  for (let failed = 0; failed < ATTEMPTS; ) {
    try {
      await billing.take(id, async ({ transaction }) => {
        const order = headers.get('ce_subject')
        await transaction.query('insert into charges (order_id) values ($1)', [order])
      })
      return // also for a message that was taken in before
    } catch (error) {
      console.error(error)
      // That the database is away is not the message's fault, and does not count.
      if ((error as { code?: unknown }).code !== 'store-unavailable') failed++
      await sleep(Math.min(500 * 2 ** failed, 30_000))
    }
  }
  const dead = { topic: 'billing-dead', key, value, headers }
  await producer.send({ messages: [dead], acks: -1 })
}

const stream = await consumer.consume({
  topics: ['orders'],
  autocommit: false, // the default commits what nobody has handled yet
  mode: 'committed', // go on where the group stopped; the default begins at the end of the topic
  fallbackMode: 'earliest', // a group that has committed nothing begins at the start
})
consumer.on('error', (error: Error) => stream.destroy(error)) // it could not join the group again
process.once('SIGTERM', () => stream.close().catch(console.error))

// An error ends the process, and what starts it again goes on after the last offset committed.
for await (const message of stream) {
  await take(message)
  await message.commit()
}
await consumer.close(true)
await producer.close()
await pool.end()
