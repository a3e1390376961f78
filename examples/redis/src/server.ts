import { idempotency } from '@oncekey/express'
import { redisStore } from '@oncekey/redis'
import express from 'express'
import { Redis } from 'ioredis'
import { cardGateway } from './card-gateway.ts'
import { startPrivateRedis } from './private-redis.ts'

// An API that charges cards, on Redis. No transaction covers the time between the claim and the
// answer, so a handler's outside effects must recognize a repetition themselves, as they do here.

const url = process.env.REDIS_URL ?? (await startPrivateRedis())
const client = new Redis(url)
const subscriber = client.duplicate()
for (const each of [client, subscriber]) each.on('error', ({ message }) => console.error(message))
const gateway = cardGateway(client)

const once = idempotency({
  // It is as durable as the server: `appendonly yes`, `maxmemory-policy noeviction`, and `replicas`
  // to wait for copies. If Redis loses or evicts a record, a retry runs again.
  store: redisStore({ client, subscriber }),
  // The key's owner, from your authentication.
  scope: (req) => String(req.headers['x-account'] ?? ''),
  // After a crash nobody knows how far the handler came. While the lease lasts, a retry gets 409;
  // after that it runs again ('hold' would wait for an operator instead).
  leaseMs: 5_000,
  whenUnknown: 'retake',
})

const app = express()
app.post('/charges', express.json(), once, async (req, res) => {
  const { deriveKey, emit } = once.of(req)
  // Redis has no `transaction()`: it throws. The derived key is the same on every attempt, so that
  // a second run charges nothing; without it, a crash on the next line would charge twice.
  const charge = await gateway.charge(req.body.cents, deriveKey('charge'))
  if (process.env.SLOW_AFTER_CHARGE) await new Promise((resolve) => setTimeout(resolve, 30_000))
  // One script stores the response and the event: both or none. That does not include a row in your
  // database; write it where the event arrives, behind an inbox.
  emit({ type: 'charge.made', subject: charge.id, data: charge })
  res.status(201).json(charge)
})

app.get('/books', async (_req, res) => {
  res.json({ charged: await gateway.charged() })
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  console.log(JSON.stringify({ ready: true, port, redis: url }))
  console.log(`Try it, twice:

  curl -i http://127.0.0.1:${port}/charges -H 'X-Account: ana' \\
    -H 'Content-Type: application/json' -H 'Idempotency-Key: my-first-key' -d '{"cents":4200}'`)
})
