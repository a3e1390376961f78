import type { Store } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, startReplicas, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  errorOf,
  eventOf,
  expectReplay,
  responseOf,
  retryOf,
  run,
} from '../servers/claims.ts'

let primary: RedisServer
let replica: RedisServer

beforeAll(async () => {
  primary = await startRedis()
  replica = (await startReplicas(primary, 1))[0] as RedisServer
})
afterAll(async () => {
  await replica.stop()
  await primary.stop()
})

describe.each([
  ['ioredis 6', () => new Redis(primary.url)],
  ['ioredis 5', () => new Redis5(primary.url)],
  [
    'ioredis 6 with automatic pipelining',
    () => new Redis(primary.url, { enableAutoPipelining: true }),
  ],
] as const)('with `replicas`, through %s,', (_name, connect) => {
  test('a completion that the replica has is stored, and was on the replica when it was confirmed', async () => {
    const client = connect()
    try {
      const store = redisStore({
        client,
        commandTimeoutMs: 10_000,
        replicas: { count: 1, timeoutMs: 5_000 },
      })
      const claim = claimOf()
      const attempt = await run(store, claim)
      expect(await attempt.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
      expect(await replica.cli('keys', `*:result:*${claim.key}`)).toContain(claim.key)
      // After this the server knows no scripts, so sending their text is tested, too.
      await client.script('FLUSH')
      const second = await run(store, claimOf())
      await client.script('FLUSH')
      expect(await second.complete(completionOf())).toBe('stored')
    } finally {
      client.disconnect()
    }
  })

  // A bug: the retry that followed such a 503 got a success that a failover then lost.
  test('a completion that no replica has in time is `commit-failed`, and is replayed once one has it', async () => {
    const client = connect()
    try {
      const store = redisStore({ client, replicas: { count: 1, timeoutMs: 200 } })
      const claim = claimOf()
      const attempt = await run(store, claim)
      replica.pause()
      const error = await errorOf(attempt.complete(completionOf()))
      expect(error.code).toBe('commit-failed')
      expect(error.message).toContain('0 of 1 replicas had it within 200 ms')
      const tooEarly = await errorOf(store.begin(retryOf(claim)))
      expect(tooEarly.code).toBe('store-unavailable')
      expect(tooEarly.message).toContain('0 of 1 replicas had it within 200 ms')
      // A store that has written nothing on its own connection gets the same result: `WAIT` has to
      // count what others wrote.
      const other = connect()
      const elsewhere = redisStore({ client: other, replicas: { count: 1, timeoutMs: 200 } })
      expect((await errorOf(elsewhere.begin(retryOf(claim)))).code).toBe('store-unavailable')
      expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
      other.disconnect()
      replica.resume()
      await waitFor(() => store.begin(retryOf(claim)).then(({ kind }) => kind === 'replay'), {
        what: 'the replica to have it',
      })
      expect(await attempt.complete(completionOf())).toBe('stored')
      await expectReplay(store, claim, 'done')
    } finally {
      client.disconnect()
    }
  })

  test('a completion is `commit-failed` if fewer replicas exist than required', async () => {
    const client = connect()
    try {
      const store = redisStore({ client, replicas: { count: 2, timeoutMs: 100 } })
      const attempt = await run(store, claimOf())
      const error = await errorOf(attempt.complete(completionOf()))
      expect(error.message).toContain('1 of 2 replicas')
      const open = await store.open({ leaseMs: 1 })
      expect((await errorOf(open.complete(completionOf({ events: [eventOf()] })))).code).toBe(
        'commit-failed',
      )
    } finally {
      client.disconnect()
    }
  })

  test('a completion that comes too late is `superseded` in any case', async () => {
    const client = connect()
    try {
      const store = redisStore({ client, replicas: { count: 2, timeoutMs: 50 } })
      const claim = claimOf()
      const attempt = await run(store, claim)
      await attempt.abandon()
      await run(store, retryOf(claim))
      expect(await attempt.complete(completionOf())).toBe('superseded')
    } finally {
      client.disconnect()
    }
  })
})

// A bug: since Redis 7.2, and in Valkey, `WAIT` counts the replicas that have what its connection
// wrote last. A replay and a completion that was sent again had written nothing, so they were told
// while no replica had them.
describe('with `replicas`, whoever tells of what is on record has written before `WAIT`:', () => {
  let client: Redis
  beforeAll(() => {
    client = new Redis(primary.url)
  })
  afterAll(() => client.disconnect())

  const storeOn = (of: Redis) =>
    redisStore({ client: of, commandTimeoutMs: 10_000, replicas: { count: 1, timeoutMs: 5_000 } })
  /** How much was written, by anybody. */
  const written = async (): Promise<number> =>
    Number((await client.info('persistence')).match(/^rdb_changes_since_last_save:(\d+)/m)?.[1])

  test.each([
    ['a replay', completionOf()],
    [
      'that there is no result any more',
      completionOf({ response: { ...responseOf(''), body: null } }),
    ],
  ])('%s', async (_what, completion) => {
    const claim = claimOf()
    await (await run(storeOn(client), claim)).complete(completion)
    const before = await written()
    await storeOn(client).begin(retryOf(claim))
    expect(await written()).toBeGreaterThan(before)
  })

  test.each([
    ['a completion', async (store: Store<never>) => run(store, claimOf())],
    ['events without a record', async (store: Store<never>) => store.open({ leaseMs: 60_000 })],
  ])('%s that is sent again after its answer was lost', async (_what, begin) => {
    const writes: number[] = []
    const sentTwice = new Proxy(client, {
      get(target, name) {
        if (name !== 'pipeline') return Reflect.get(target, name, target)
        return (commands: unknown[][]) => ({
          async exec() {
            await target.pipeline(commands).exec()
            writes.push(await written())
            const ends = await target.pipeline(commands).exec()
            writes.push(await written())
            return ends
          },
        })
      },
    })
    const attempt = await begin(storeOn(sentTwice))
    expect(await attempt.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
    const [once = 0, twice = 0] = writes.slice(-2)
    expect(twice).toBeGreaterThan(once)
  })
})

// A bug: with the option `asap`, node-redis sends each command before those that are still queued.
// So `WAIT` was sent before its completion, and counted only earlier writes.
test('with `replicas`, through node-redis that sends the latest command first, counts the completion', async () => {
  const client = createClient({ url: primary.url, commandOptions: { asap: true } })
  client.on('error', () => {})
  await client.connect()
  const store = redisStore({ client, replicas: { count: 1, timeoutMs: 200 } })
  const attempt = await run(store, claimOf())
  // The replica has everything that was written before.
  expect(Number(await client.sendCommand(['WAIT', '1', '10000']))).toBe(1)
  replica.pause()
  expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
  replica.resume()
  client.destroy()
})
