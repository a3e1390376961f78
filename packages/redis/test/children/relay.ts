// A relay for tests to kill. After `DIE_AFTER` deliveries it kills itself in the middle of a batch.
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { Redis } from 'ioredis'

const client = new Redis(process.env.REDIS_URL ?? '')
client.on('error', () => {})
const dieAfter = Number(process.env.DIE_AFTER ?? Number.POSITIVE_INFINITY)
let deliveries = 0

/**
 * Takes effect once for an event, however often it is delivered: one script writes the mark and the
 * effect.
 */
const TAKE_EFFECT = `
redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
if redis.call('SADD', KEYS[2], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
end`

const relay = createRelay({
  log: redisLog({ client, commandTimeoutMs: 20_000 }),
  leaseMs: Number(process.env.LEASE_MS ?? 2_000),
  advanceEveryMs: Number(process.env.ADVANCE_EVERY_MS ?? 10),
  maxPollMs: 50,
  consumers: [
    consumer({
      name: 'shipping',
      types: ['order.created'],
      async handle({ event, emit }) {
        const subject = String(event.subject)
        await client.eval(TAKE_EFFECT, 3, 'delivered', 'seen', 'effects', event.id, subject)
        emit({ type: 'order.shipped', subject })
        deliveries += 1
        if (deliveries === dieAfter) process.kill(process.pid, 'SIGKILL')
      },
    }),
    consumer({
      name: 'email',
      types: ['order.shipped'],
      async handle({ event }) {
        await client.hincrby('shipped', event.id, 1)
        await client.hset('mailed', String(event.subject), event.id)
      },
    }),
  ],
})
relay.start()
console.log(JSON.stringify({ ready: true }))
