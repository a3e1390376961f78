import { setTimeout as sleep } from 'node:timers/promises'
import { createEngine } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startProxy, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimOf, completionOf, errorOf, kindOf, retryOf, run } from '../servers/claims.ts'

let server: RedisServer
let direct: Redis

beforeAll(async () => {
  server = await startRedis()
  direct = new Redis(server.url)
})
afterAll(async () => {
  direct.disconnect()
  await server.stop()
})

describe('the end of an attempt that Redis was away for', () => {
  async function cutOff(leaseMs: number) {
    const proxy = await startProxy(server.port)
    const client = new Redis(proxy.through(server.url), {
      enableOfflineQueue: false,
      retryStrategy: () => 20,
    })
    client.on('error', () => {})
    await new Promise((resolve) => client.once('ready', resolve))
    const store = redisStore({ client, commandTimeoutMs: 500 })
    const claim = claimOf({ leaseMs })
    const attempt = await run(store, claim)
    proxy.refuse()
    proxy.cut()
    expect(await errorOf(attempt.complete(completionOf()))).toBeInstanceOf(Error)
    const back = async (): Promise<void> => {
      await proxy.accept()
      await new Promise((resolve) => client.once('ready', resolve))
    }
    const close = async (): Promise<void> => {
      client.disconnect()
      await proxy.stop()
    }
    return { store, claim, back, close }
  }

  // A bug: a retry after an outage longer than the lease, and before the next try, ran the
  // handler again, although the response was ready in the same process.
  test('is sent before the next claim of the key in this process', async () => {
    const { store, claim, back, close } = await cutOff(1_000)
    await sleep(2_500)
    await back()
    expect(await kindOf(store, retryOf(claim))).toBe('replay')
    await close()
  })

  // A bug: the claim went on waiting, and asked Redis, although nobody waited for it any more.
  test('is not waited for by a claim whose request is gone', async () => {
    const { store, claim, back, close } = await cutOff(60_000)
    const gone = new AbortController()
    const begun = kindOf(store, retryOf(claim, { signal: gone.signal }))
    gone.abort()
    expect(await begun).toBe('in-progress')
    await back()
    await close()
  })

  // A bug: drain() did not wait for it.
  test('is waited for by drain()', async () => {
    const { store, claim, back, close } = await cutOff(60_000)
    const engine = createEngine({ store })
    expect(await engine.drain({ deadlineMs: 100 })).toBe(1)
    const drained = engine.drain()
    await back()
    expect(await drained).toBe(0)
    await close()
    expect(await kindOf(redisStore({ client: direct }), retryOf(claim))).toBe('replay')
  })
})
