import { type GivenOrOwn, givenOrOwn, type RedisServer, startRedis } from '@oncekey/test-servers'
import { Queue, QueueEvents } from 'bullmq'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { db, startShipping } from '../src/shipping.ts'

let server: GivenOrOwn<RedisServer>
const closing: { close(): Promise<unknown> }[] = []
beforeAll(async () => {
  server = await givenOrOwn('REDIS_URL', startRedis)
})
afterAll(async () => {
  await Promise.all(closing.map((each) => each.close()))
  await server.stop()
})

test('an order is shipped once, however many jobs and attempts it takes', async () => {
  const connection = { url: server.url() }
  const queue = new Queue('shipping', { connection })
  const events = new QueueEvents('shipping', { connection })
  closing.push(startShipping(connection.url), events, queue)
  await events.waitUntilReady()
  const ship = async (orderId: string) => {
    const job = await queue.add('ship', { orderId }, { attempts: 10, backoff: 50 })
    return await job.waitUntilFinished(events)
  }
  const light = await Promise.all(Array.from({ length: 5 }, () => ship('light')))
  expect(new Set(light.map(({ shipment }) => shipment)).size).toBe(1)
  const heavy = await ship('heavy') // its first attempt is undone
  expect(await ship('heavy')).toEqual(heavy)
  const { rows } = await db.query(
    'select order_id, count(*)::int from shipments group by 1 order by 1',
  )
  expect(rows).toEqual([
    { order_id: 'heavy', count: 1 },
    { order_id: 'light', count: 1 },
  ])
})
