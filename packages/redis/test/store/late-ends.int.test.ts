import { setTimeout as sleep } from 'node:timers/promises'
import { createEngine } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startProxy, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  errorOf,
  kindOf,
  responseOf,
  retryOf,
  run,
} from '../servers/claims.ts'

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

  // A bug: each try left one more copy of the response in the client, for as long as Redis hung,
  // and each retry of the client hurried the next one.
  test('is sent once while Redis hangs, however often its client retries', async () => {
    const hanging = await startRedis()
    const client = new Redis(hanging.url)
    const store = redisStore({ client, commandTimeoutMs: 100 })
    const [claim, released] = [claimOf(), claimOf()]
    const attempt = await run(store, claim)
    const other = await run(store, released)
    const body = 'x'.repeat(10_000)
    hanging.pause()
    const completion = completionOf({ response: responseOf(body) })
    expect(await errorOf(attempt.complete(completion))).toMatchObject({ code: 'commit-failed' })
    expect(await errorOf(other.release())).toMatchObject({ code: 'store-unavailable' })
    for (let retry = 0; retry < 10; retry++) await errorOf(store.begin(retryOf(claim)))
    const { commandQueue } = client as unknown as {
      commandQueue: { toArray(): { command: { args: unknown[] } }[] }
    }
    const kept = commandQueue.toArray().map(({ command }) => command.args.map(String))
    expect(kept.filter((args) => args.includes(body))).toHaveLength(1)
    expect(kept.filter((args) => args.includes(released.token))).toHaveLength(1)
    hanging.resume()
    expect(await store.settle?.({ withinMs: 10_000 })).toBe(0)
    expect(await kindOf(store, retryOf(claim))).toBe('replay')
    expect(await kindOf(store, retryOf(released))).toBe('run')
    client.disconnect()
    await hanging.stop()
  })

  // A bug: each attempt to connect that failed counted as a connection that was lost, and one more
  // copy went into the client's queue.
  test('is sent once while Redis is down, however often its client connects', async () => {
    const down = await startRedis()
    const client = new Redis(down.url, { maxRetriesPerRequest: null, retryStrategy: () => 20 })
    let closed = 0
    client
      .on('error', () => {})
      .on('close', () => {
        closed += 1
      })
    const store = redisStore({ client, commandTimeoutMs: 100 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const body = 'x'.repeat(10_000)
    await down.stop()
    await waitFor(() => closed > 0, { what: 'the connection to be lost' })
    const completion = completionOf({ response: responseOf(body) })
    expect(await errorOf(attempt.complete(completion))).toMatchObject({ code: 'commit-failed' })
    for (let retry = 0; retry < 10; retry++) {
      const before = closed
      await errorOf(store.begin(retryOf(claim)))
      await waitFor(() => closed > before + 1, { what: 'more attempts to connect' })
    }
    const { offlineQueue } = client as unknown as {
      offlineQueue: { toArray(): { command: { args: unknown[] } }[] }
    }
    const kept = offlineQueue.toArray().map(({ command }) => command.args.map(String))
    expect(kept.filter((args) => args.includes(body))).toHaveLength(1)
    client.disconnect()
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
