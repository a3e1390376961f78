import { redisStore } from '@oncekey/redis'
import {
  type RedisServer,
  startProxy,
  startRedis,
  startReplicas,
  type TcpProxy,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { claimOf, completionOf, eventOf, retryOf, run } from '../servers/claims.ts'
import { listenTo, type Wire } from '../servers/wire.ts'

let server: RedisServer
let replica: RedisServer | undefined
let wire: Wire

beforeAll(async () => {
  server = await startRedis()
  ;[replica] = await startReplicas(server, 1)
  wire = await listenTo(server.url)
})
afterAll(async () => {
  wire.close()
  await replica?.stop()
  await server.stop()
})

const clients: [string, (url: string) => Redis | Redis5][] = [
  ['ioredis 6', (url) => new Redis(url)],
  ['ioredis 5', (url) => new Redis5(url)],
]

describe.each(clients)('through %s', (_name, connect) => {
  let proxy: TcpProxy
  let client: Redis | Redis5
  let subscriber: Redis | Redis5
  beforeEach(async () => {
    proxy = await startProxy(server.port)
    client = connect(proxy.through(server.url))
    subscriber = connect(server.url)
    await run(redisStore({ client }), claimOf())
  })
  afterEach(async () => {
    client.disconnect()
    subscriber.disconnect()
    await proxy.stop()
  })

  /**
   * A store that has done its one-time work: it has checked for eviction, and the server knows its
   * scripts.
   */
  async function warmStore(options: Partial<Parameters<typeof redisStore>[0]> = {}) {
    const store = redisStore({ client, ...options })
    const attempt = await run(store, claimOf())
    await attempt.renew(60_000)
    await attempt.complete(completionOf())
    await (await run(store, claimOf())).release()
    await (await run(store, claimOf())).abandon()
    await (await store.open({ leaseMs: 1 })).complete(completionOf({ events: [eventOf()] }))
    return store
  }

  async function roundTripsDuring(work: () => Promise<unknown>): Promise<number> {
    proxy.resetCounts()
    await work()
    return proxy.counts().roundTrips
  }

  test('a fresh request is two commands in two round trips', async () => {
    const store = await warmStore()
    const fresh = async () => {
      const attempt = await run(store, claimOf())
      await attempt.complete(completionOf({ events: [eventOf(), eventOf()] }))
    }
    expect(await wire.commandsDuring(fresh)).toEqual(['evalsha', 'evalsha'])
    expect(await roundTripsDuring(fresh)).toBe(2)
  })

  test('a replay is one command in one round trip', async () => {
    const store = await warmStore()
    const claim = claimOf()
    await (await run(store, claim)).complete(completionOf())
    const replay = async () => expect((await store.begin(retryOf(claim))).kind).toBe('replay')
    expect(await wire.commandsDuring(replay)).toEqual(['evalsha'])
    expect(await roundTripsDuring(replay)).toBe(1)
  })

  test('every other answer and every other operation is one command', async () => {
    const store = await warmStore()
    const claim = claimOf()
    const attempt = await run(store, claim)
    const once = async (work: () => Promise<unknown>) =>
      expect(await wire.commandsDuring(work)).toEqual(['evalsha'])
    await once(() => store.begin(retryOf(claim)))
    await once(() => store.begin(retryOf(claim, { fingerprints: ['json1:other'] })))
    await once(() => attempt.renew(60_000))
    await once(() => attempt.abandon())
    await once(() => store.begin(retryOf(claim, { whenUnknown: 'hold' })))
    const second = await run(store, retryOf(claim))
    await once(() => second.release())
  })

  test('an attempt without a key costs nothing, or one command if it has events', async () => {
    const store = await warmStore()
    const [silent, telling] = [await store.open({ leaseMs: 1 }), await store.open({ leaseMs: 1 })]
    expect(await wire.commandsDuring(() => silent.complete(completionOf()))).toEqual([])
    const tell = () => telling.complete(completionOf({ events: [eventOf()] }))
    expect(await wire.commandsDuring(tell)).toEqual(['evalsha'])
  })

  test('with `replicas`, a completion waits for them in the same round trip', async () => {
    const store = await warmStore({
      commandTimeoutMs: 10_000,
      replicas: { count: 1, timeoutMs: 5_000 },
    })
    const attempts = [await run(store, claimOf()), await run(store, claimOf())]
    const complete = async () =>
      expect(await attempts.pop()?.complete(completionOf())).toBe('stored')
    expect(await wire.commandsDuring(complete)).toEqual(['evalsha', 'wait'])
    expect(await roundTripsDuring(complete)).toBe(1)
  })

  test('with `replicas`, a replay takes one more round trip to ask whether they have it', async () => {
    const store = await warmStore({
      commandTimeoutMs: 10_000,
      replicas: { count: 1, timeoutMs: 5_000 },
    })
    const claim = claimOf()
    await (await run(store, claim)).complete(completionOf())
    const replay = async () => expect((await store.begin(retryOf(claim))).kind).toBe('replay')
    expect(await wire.commandsDuring(replay)).toEqual(['evalsha', 'evalsha', 'wait'])
    expect(await roundTripsDuring(replay)).toBe(2)
  })

  test('a wait asks twice, however long it is', async () => {
    const store = await warmStore({ subscriber })
    const claim = claimOf()
    const attempt = await run(redisStore({ client }), claim)
    const first = await wire.commandsDuring(() => store.begin(retryOf(claim, { waitMs: 700 })))
    // The first wait of a process sends a third claim, because it subscribes and then asks again.
    expect(first.sort()).toEqual(['evalsha', 'evalsha', 'evalsha', 'subscribe'])
    const later = await wire.commandsDuring(() => store.begin(retryOf(claim, { waitMs: 700 })))
    expect(later).toEqual(['evalsha', 'evalsha'])
    await attempt.release()
  })

  test('a process checks for eviction once, before its first claim', async () => {
    const store = redisStore({ client })
    const claims = async () => {
      await Promise.all([run(store, claimOf()), run(store, claimOf())])
      await run(store, claimOf())
    }
    expect(await wire.commandsDuring(claims)).toEqual(['info', 'evalsha', 'evalsha', 'evalsha'])
  })
})
