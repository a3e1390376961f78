import { Queue, QueueEvents } from 'bullmq'
import { startPrivateRedis } from './private-redis.ts'
import { db, startShipping } from './shipping.ts'

const url = process.env.REDIS_URL ?? (await startPrivateRedis())
const connection = { url }
const queue = new Queue('shipping', { connection })
const events = new QueueEvents('shipping', { connection })
await events.waitUntilReady()
const worker = startShipping(url)

for (const orderId of ['light', 'light', 'heavy']) {
  const job = await queue.add('ship', { orderId }, { attempts: 3, backoff: 100 })
  const result = await job.waitUntilFinished(events)
  console.log(`job ${job.id}, order ${orderId}:`, result)
}
const { rows } = await db.query(
  'select order_id, count(*)::int from shipments group by 1 order by 1',
)
console.log('Shipments:', rows)
await Promise.all([worker.close(), events.close(), queue.close()])
process.exit()
