import { setTimeout } from 'node:timers/promises'
import { outboxEvent } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { type Child, type RedisServer, startNode, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'

let server: RedisServer
let client: Redis
const children: Child<unknown>[] = []
beforeAll(async () => {
  server = await startRedis({ settings: { appendonly: 'yes' } })
  client = new Redis(server.url)
  client.on('error', () => {})
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})
beforeEach(() => client.flushall())
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill()
    await child.exited
  }
})

async function release(types: string): Promise<Child<unknown>> {
  const child = await startNode(new URL('../children/release.ts', import.meta.url), {
    env: { REDIS_URL: server.url, TYPES: types },
    readyTimeoutMs: 60_000,
  })
  children.push(child)
  return child
}

/**
 * Emits one event of each type again and again for a while, and returns their subjects, which are
 * all different.
 */
async function emitFor(ms: number, types: readonly string[]): Promise<string[]> {
  const log = redisLog({ client, commandTimeoutMs: 20_000 })
  const subjects: string[] = []
  const until = performance.now() + ms
  for (let at = 0; performance.now() < until; at += 1) {
    for (const type of types) {
      const subject = `${type}-${at}`
      await log.append([outboxEvent({ type, subject }, { source: '/', traceparent: undefined })])
      subjects.push(subject)
    }
    await setTimeout(2)
  }
  return subjects
}

async function all(subjects: readonly string[]): Promise<void> {
  const missing = async () => {
    const delivered = await client.hgetall('delivered')
    return subjects.filter((subject) => delivered[subject] === undefined).length
  }
  await waitFor(async () => (await missing()) === 0, {
    what: 'every event to be delivered',
    timeoutMs: 30_000,
    intervalMs: 50,
  }).catch(async () => expect({ missing: await missing() }).toEqual({ missing: 0 }))
}

describe('a deploy that changes the types of a consumer', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'loses no event of the new type; the old release ends by %s',
    async (signal) => {
      const old = await release('order.created')
      await release('order.*')
      const emitting = emitFor(1_500, ['order.created', 'order.paid'])
      await setTimeout(800)
      old.kill(signal)
      await old.exited
      await all(await emitting)
    },
  )

  test('and renames one delivers both names: what the old release cannot take waits for the new one', async () => {
    const old = await release('order.created')
    await release('order.placed')
    const subjects = await emitFor(500, ['order.created', 'order.placed'])
    await all(subjects.filter((subject) => subject.startsWith('order.created')))
    old.kill('SIGTERM')
    await old.exited
    await all(subjects)
  })
})
