// One release of consumer `orders`, which a test deploys beside another; TYPES lists its types. It
// stops gracefully on SIGTERM.
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { Redis } from 'ioredis'

const { REDIS_URL = '', TYPES = '' } = process.env
const client = new Redis(REDIS_URL)
client.on('error', () => {})
const relay = createRelay({
  log: redisLog({ client, commandTimeoutMs: 20_000 }),
  leaseMs: 900,
  minPollMs: 2,
  maxPollMs: 20,
  advanceEveryMs: 5,
  consumers: [
    consumer({
      name: 'orders',
      types: TYPES.split(','),
      handle: ({ event }) => client.hincrby('delivered', `${event.subject}`, 1),
    }),
  ],
})
await relay.runOnce()
relay.start()
process.once('SIGTERM', async () => {
  await relay.stop()
  process.exit(0)
})
console.log(JSON.stringify({ ready: true }))
