import { setTimeout as sleep } from 'node:timers/promises'
import { inbox } from '@oncekey/postgres'
import { Pool } from 'pg'
import { type AsyncMessage, Connection, ConsumerStatus } from 'rabbitmq-client'

const ATTEMPTS = 10
const pool = new Pool()
pool.on('error', console.error)
const rabbit = new Connection('amqp://guest:guest@127.0.0.1')
rabbit.on('error', console.error)

const billing = inbox({ client: pool, consumer: 'billing' })

async function take({ messageId = '', headers }: AsyncMessage): Promise<ConsumerStatus> {
  try {
    await billing.take(messageId, async ({ transaction }) => {
      const order = headers?.['cloudEvents:subject']
      await transaction.query('insert into charges (order_id) values ($1)', [order])
    })
    return ConsumerStatus.ACK // also for a message that was taken in before
  } catch (error) {
    console.error(error)
    // How often a quorum queue gave it out before: since RabbitMQ 4.3, and until then.
    const before = Number(headers?.['x-acquired-count'] ?? headers?.['x-delivery-count'] ?? 0)
    if (before + 1 >= ATTEMPTS) return ConsumerStatus.DROP // to the dead-letter exchange
    await sleep(Math.min(1_000 * 2 ** before, 30_000)) // it comes again at once
    return ConsumerStatus.REQUEUE
  }
}

await rabbit.queueDeclare({
  queue: 'billing-dead',
  durable: true,
  arguments: { 'x-queue-type': 'quorum' },
})
const consumer = rabbit.createConsumer(
  {
    queue: 'billing',
    queueOptions: {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-delivery-limit': 20, // for messages that end the process
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'billing-dead',
      },
    },
    queueBindings: [{ exchange: 'shop', queue: 'billing', routingKey: 'order.*' }],
    qos: { prefetchCount: 10 },
  },
  take,
)
consumer.on('error', console.error)

process.once('SIGTERM', async () => {
  await consumer.close() // waits for those that it is working on
  await rabbit.close()
  await pool.end()
})
