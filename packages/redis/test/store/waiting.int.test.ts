import type { Store } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import {
  type RedisServer,
  startProxy,
  startRedis,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { claimOf, completionOf, expectReplay, kindOf, retryOf, run } from '../servers/claims.ts'

let server: RedisServer
let proxy: TcpProxy
const open: Redis[] = []

beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server.stop())
beforeEach(async () => {
  proxy = await startProxy(server.port)
})
afterEach(async () => {
  for (const client of open.splice(0)) client.disconnect()
  await proxy.stop()
})

interface Habits {
  readonly autoResubscribe?: boolean
  readonly autoResendUnfulfilledCommands?: boolean
}

function connect(url = server.url, habits: Habits = {}): Redis {
  const client = new Redis(url, { retryStrategy: () => 20, ...habits })
  client.on('error', () => {})
  open.push(client)
  return client
}

/** How long a wait took, and its result. */
async function timed<T>(work: Promise<T>): Promise<{ ms: number; value: T }> {
  const startedAt = performance.now()
  const value = await work
  return { ms: performance.now() - startedAt, value }
}

async function awaited(key: string): Promise<boolean> {
  const client = connect()
  const [record = ''] = await client.keys(`*:key:*${key}`)
  return (await client.hget(record, 'awaited')) === '1'
}

describe('a claim that waits for an attempt of another process', () => {
  test.each(['complete', 'release', 'abandon'] as const)(
    'returns at once when it ends: %s',
    async (end) => {
      const [ours, theirs] = [
        redisStore({ client: connect(), subscriber: connect() }),
        redisStore({ client: connect() }),
      ]
      const claim = claimOf()
      const attempt = await run(theirs, claim)
      const waiting = timed(ours.begin(retryOf(claim, { waitMs: 30_000 })))
      await waitFor(() => awaited(claim.key), { what: 'the claim to wait' })
      if (end === 'complete') await attempt.complete(completionOf())
      else await attempt[end]()
      const { ms, value } = await waiting
      expect(value.kind).toBe(end === 'complete' ? 'replay' : 'run')
      expect(ms).toBeLessThan(10_000)
    },
  )

  test('and has no subscriber asks again at its deadline, and gets the response stored by then', async () => {
    const [ours, theirs] = [redisStore({ client: connect() }), redisStore({ client: connect() })]
    const claim = claimOf()
    const attempt = await run(theirs, claim)
    const waiting = timed(ours.begin(retryOf(claim, { waitMs: 600 })))
    // Sent on the same connection, so once this one is answered, the claim before it was answered,
    // too.
    expect(await kindOf(ours, retryOf(claim))).toBe('in-progress')
    await attempt.complete(completionOf())
    const { ms, value } = await waiting
    expect(value.kind).toBe('replay')
    expect(ms).toBeGreaterThan(500)
  })

  test('and has no subscriber takes over before its deadline when the lease runs out', async () => {
    const [ours, theirs] = [redisStore({ client: connect() }), redisStore({ client: connect() })]
    const claim = claimOf({ leaseMs: 300 })
    await run(theirs, claim)
    const { ms, value } = await timed(ours.begin(retryOf(claim, { waitMs: 30_000 })))
    expect(value).toMatchObject({ kind: 'run', attempt: { number: 2 } })
    expect(ms).toBeLessThan(10_000)
  })

  test('and misses the message returns the response at its deadline', async () => {
    const subscriber = connect(proxy.through(server.url))
    const ours = redisStore({ client: connect(), subscriber })
    const theirs = redisStore({ client: connect() })
    const claim = claimOf()
    const attempt = await run(theirs, claim)
    const waiting = ours.begin(retryOf(claim, { waitMs: 1_500 }))
    await waitFor(() => awaited(claim.key), { what: 'the claim to wait' })
    proxy.stallDownstream()
    await attempt.complete(completionOf())
    expect((await waiting).kind).toBe('replay')
  })

  test('does not fail if its subscriber cannot connect', async () => {
    proxy.refuse()
    const subscriber = connect(proxy.through(server.url))
    const ours = redisStore({ client: connect(), subscriber, commandTimeoutMs: 200 })
    const theirs = redisStore({ client: connect() })
    const claim = claimOf()
    const attempt = await run(theirs, claim)
    const waiting = ours.begin(retryOf(claim, { waitMs: 800 }))
    expect(await kindOf(ours, retryOf(claim))).toBe('in-progress')
    await attempt.complete(completionOf())
    expect((await waiting).kind).toBe('replay')
    // Once the subscriber is connected, the next wait is told of the end.
    await proxy.accept()
    const next = claimOf()
    const second = await run(theirs, next)
    const told = timed(ours.begin(retryOf(next, { waitMs: 30_000 })))
    await waitFor(() => awaited(next.key), { what: 'the claim to wait' })
    await second.complete(completionOf())
    expect((await told).ms).toBeLessThan(10_000)
  })

  // A bug: a subscriber that does not subscribe again by itself was told of no end any more.
  test.each([true, false])(
    'hears of the end after its subscriber was reconnected: autoResubscribe %s',
    async (autoResubscribe) => {
      const subscriber = connect(proxy.through(server.url), { autoResubscribe })
      const ours = redisStore({ client: connect(), subscriber })
      const theirs = redisStore({ client: connect() })
      const first = claimOf()
      await run(theirs, first)
      await ours.begin(retryOf(first, { waitMs: 50 }))
      const connectedAgain = new Promise((resolve) => subscriber.once('ready', resolve))
      proxy.cut()
      await connectedAgain
      await hearsOfAnEnd(ours, theirs)
    },
  )

  // A bug: ioredis may drop a command without a word. The subscription was never sent again, and
  // every claim that waited spent its time on it.
  test('hears of the end after its subscription was lost on its way', async () => {
    const habits = { autoResendUnfulfilledCommands: false }
    const subscriber = connect(proxy.through(server.url), habits)
    const ours = redisStore({ client: connect(), subscriber, commandTimeoutMs: 200 })
    const theirs = redisStore({ client: connect() })
    const first = claimOf()
    await run(theirs, first)
    await subscriber.ping()
    const held = proxy.holdBefore('oncekey:ended')
    const waited = ours.begin(retryOf(first, { waitMs: 300 }))
    await held
    expect((await waited).kind).toBe('in-progress')
    const connectedAgain = new Promise((resolve) => subscriber.once('ready', resolve))
    proxy.cut()
    await connectedAgain
    await hearsOfAnEnd(ours, theirs)
  })

  async function hearsOfAnEnd(ours: Store<never>, theirs: Store<never>): Promise<void> {
    const claim = claimOf()
    const attempt = await run(theirs, claim)
    const waiting = timed(ours.begin(retryOf(claim, { waitMs: 30_000 })))
    await waitFor(() => awaited(claim.key), { what: 'the claim to wait' })
    await attempt.complete(completionOf())
    expect((await waiting).ms).toBeLessThan(10_000)
  }
})

describe('a claim that waits for an attempt of its own process', () => {
  test('hears of the end without Redis: no subscriber and no message', async () => {
    const store = redisStore({ client: connect() })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const waiting = timed(store.begin(retryOf(claim, { waitMs: 30_000 })))
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    await attempt.complete(completionOf())
    const { ms, value } = await waiting
    expect(value.kind).toBe('replay')
    expect(ms).toBeLessThan(10_000)
  })

  test('wakes when the completion fails, and asks the store again', async () => {
    const client = connect(proxy.through(server.url))
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const waiting = store.begin(retryOf(claim, { waitMs: 30_000 })).catch((error) => error.code)
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    proxy.stall()
    await attempt.complete(completionOf()).catch(() => {})
    expect(await waiting).toBe('store-unavailable')
  })
})

test('two hundred claims that wait for one attempt all get its response', async () => {
  const stores = [1, 2].map(() => redisStore({ client: connect(), subscriber: connect() }))
  const [one, two] = stores as [(typeof stores)[0], (typeof stores)[0]]
  const claim = claimOf()
  const attempt = await run(one, claim)
  const waiting = Array.from({ length: 200 }, (_, index) =>
    (index % 2 === 0 ? one : two).begin(
      retryOf(claim, { waitMs: 30_000, signal: new AbortController().signal }),
    ),
  )
  await waitFor(() => awaited(claim.key), { what: 'the claims to wait' })
  await attempt.complete(completionOf())
  const kinds = (await Promise.all(waiting)).map(({ kind }) => kind)
  expect(new Set(kinds)).toEqual(new Set(['replay']))
})

test('publishes nothing for an attempt that nobody waits for', async () => {
  const listener = connect()
  const heard: string[] = []
  await listener.subscribe('oncekey:ended')
  listener.on('message', (_channel, id) => void heard.push(id))
  const store = redisStore({ client: connect() })
  const claim = claimOf()
  await (await run(store, claim)).complete(completionOf())
  await expectReplay(store, claim, 'done')
  await connect().publish('oncekey:ended', 'the end')
  await waitFor(() => heard.includes('the end'), { what: 'the end' })
  expect(heard).toEqual(['the end'])
})
