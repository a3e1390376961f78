import { outboxEvent } from '@oncekey/core'
import { consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { redisLog } from '@oncekey/redis'
import { startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

// A bug: the scripts took the first number in braces in a key for the number of its slot. If the
// client's `keyPrefix` has such a number, as the hash tag of a tenant, every entry of the audit
// named the letter of another slot.
test('an audit entry names the letter that was meant, whatever number the prefix of keys has', async () => {
  const server = await startRedis()
  const client = new Redis(server.url, { keyPrefix: '{7}:' })
  const log = redisLog({ client })
  const relay = createRelay({
    log,
    minPollMs: 2,
    consumers: [
      consumer<never>({
        name: 'fails',
        maxAttempts: 1,
        handle() {
          throw new Error('no')
        },
      }),
    ],
  })
  try {
    for (const subject of ['one', 'two', 'three', 'four']) {
      const event = { type: 'order.created', subject }
      await log.append([outboxEvent(event, { source: '/', traceparent: undefined })])
    }
    relay.start()
    const dead = deadLetters(log.deadLetters)
    const all = await waitFor(
      async () => {
        const { items } = await dead.list({})
        return items.length === 4 && items
      },
      { what: 'the dead letters' },
    )
    await relay.stop()
    const [first = '', second = ''] = all.map(({ id }) => id)
    await dead.discard([first], 'refunded by hand')
    await log.deadLetters.redrive({ ids: [second] }, { limit: 1, actor: 'maria' })
    const { items } = await log.operations.list({}, { limit: 10 })
    expect(items).toMatchObject([
      { act: 'dead-letters.redrive', detail: { ids: [second] } },
      { act: 'dead-letters.discard', target: JSON.stringify(['dead-letter', 'consumers', first]) },
    ])
  } finally {
    await relay.stop()
    await client.quit()
    await server.stop()
  }
})
