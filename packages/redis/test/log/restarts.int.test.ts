import { outboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

// Each life of the server begins with the start that the one before had counted.
test('a retry that ends while Redis restarts is no poison, however often that is', async () => {
  const server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  const client = new Redis(server.url, { retryStrategy: () => 20 })
  client.on('error', () => {})
  const log = redisLog({ client })
  const LOSSES = 6
  let losses = 0
  let isOver = false
  const relay = createRelay({
    log,
    minPollMs: 2,
    maxPollMs: 50,
    advanceEveryMs: 5,
    consumers: [
      consumer({
        name: 'email',
        backoff: () => 0,
        async handle({ attempt }) {
          if (attempt === 1) throw new Error('not at once')
          if (losses < LOSSES) {
            losses += 1
            await server.restart()
          } else isOver = true
        },
      }),
    ],
  })
  try {
    relay.start()
    await log.append([
      outboxEvent(
        { type: 'order.created', subject: 'one' },
        { source: '/shop', traceparent: undefined },
      ),
    ])
    const isDead = async () => (await log.deadLetters.count({ origin: 'email' })) > 0
    await waitFor(async () => isOver || (await isDead()), {
      what: 'the retry to be over',
      timeoutMs: 60_000,
    })
    expect({ isOver, isDead: await isDead() }).toEqual({ isOver: true, isDead: false })
  } finally {
    await relay.stop()
    client.disconnect()
    await server.stop()
  }
}, 240_000)
