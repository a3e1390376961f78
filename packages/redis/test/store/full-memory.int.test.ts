import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  errorOf,
  eventOf,
  expectReplay,
  kindOf,
  retryOf,
  run,
} from '../servers/claims.ts'

const open: { disconnect(): void }[] = []

function connect(url: string | number, options = {}): Redis {
  const client = new Redis(String(url), options)
  client.on('error', () => {})
  open.push(client)
  return client
}

afterEach(() => {
  for (const client of open.splice(0)) client.disconnect()
})

describe('a Redis whose memory is full', () => {
  let server: RedisServer
  let client: Redis
  beforeEach(async () => {
    server = await startRedis()
    client = connect(server.url)
  })
  afterEach(() => server.stop())

  test('refuses claims and completions completely, and still releases keys', async () => {
    const store = redisStore({ client })
    const [claim, other] = [claimOf(), claimOf()]
    const [attempt, released] = [await run(store, claim), await run(store, other)]
    await client.config('SET', 'maxmemory', '1')

    const begun = await errorOf(store.begin(claimOf()))
    expect(begun.code).toBe('store-unavailable')
    expect(begun.message).toContain('its memory is full; raise `maxmemory`')
    const events = [eventOf(), eventOf()]
    const completed = await errorOf(attempt.complete(completionOf({ events })))
    expect(completed.code).toBe('commit-failed')
    await released.release()

    expect(await client.keys('*outbox')).toEqual([])
    expect(await client.keys('*result:*')).toEqual([])
    await client.config('SET', 'maxmemory', '0')
    // The completion is sent again before the claim.
    expect(await kindOf(store, retryOf(claim))).toBe('replay')
    expect(await kindOf(store, retryOf(other))).toBe('run')
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    await expectReplay(store, claim, 'done')
  })

  // A bug: while the memory was full no lease was renewed, so all handlers that ran were aborted,
  // and ran again once there was room.
  test('still renews leases and ends attempts', async () => {
    const store = redisStore({ client })
    const [claim, other] = [claimOf({ leaseMs: 1 }), claimOf()]
    const [attempt, abandoned] = [await run(store, claim), await run(store, other)]
    await client.config('SET', 'maxmemory', '1')
    expect(await attempt.renew(60_000)).toBe('held')
    await abandoned.abandon()
    await client.config('SET', 'maxmemory', '0')
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    expect(await kindOf(store, retryOf(other, { whenUnknown: 'hold' }))).toBe('unknown')
  })

  test.each(['allkeys-lru', 'volatile-lru', 'volatile-ttl', 'allkeys-random'])(
    'and that evicts keys (%s) makes every claim fail with what to change',
    async (policy) => {
      await client.config('SET', 'maxmemory', '100mb', 'maxmemory-policy', policy)
      const store = redisStore({ client })
      for (const claim of [claimOf(), claimOf()]) {
        const error = await errorOf(store.begin(claim))
        expect(error.code).toBe('store-unavailable')
        expect(error.message).toContain(`maxmemory-policy ${policy}`)
        expect(error.message).toContain('Set `maxmemory-policy noeviction`')
      }
      await client.config('SET', 'maxmemory-policy', 'noeviction')
      expect(await kindOf(store, claimOf())).toBe('run')
    },
  )

  test('and that is set to evict while the store runs makes claims fail until that is changed back', async () => {
    await client.config('SET', 'maxmemory', '100mb', 'maxmemory-policy', 'noeviction')
    const store = redisStore({ client })
    expect(await kindOf(store, claimOf())).toBe('run')
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const refused = await waitFor(
      () =>
        store.begin(claimOf()).then(
          () => false,
          (error) => error,
        ),
      {
        what: 'a claim to be refused',
        intervalMs: 100,
      },
    )
    expect(refused).toMatchObject({ code: 'store-unavailable' })
    expect((await errorOf(store.begin(claimOf()))).message).toContain(
      'maxmemory-policy allkeys-lru',
    )
    await client.config('SET', 'maxmemory-policy', 'noeviction')
    expect(await kindOf(store, claimOf())).toBe('run')
  })

  test("and that evicts keys causes one warning with whenEvicting: 'warn'", async () => {
    await client.config('SET', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru')
    const warnings: Error[] = []
    const listener = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listener)
    try {
      const store = redisStore({ client, whenEvicting: 'warn' })
      await run(store, claimOf())
      await run(store, claimOf())
      await waitFor(() => warnings.length > 0, { what: 'the warning' })
    } finally {
      process.off('warning', listener)
    }
    expect(warnings.map(({ name }) => name)).toEqual(['OncekeyWarning'])
    expect(warnings[0]?.message).toContain('runs again when the client retries')
  })

  test('is not assumed from a policy without a memory limit', async () => {
    await client.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'allkeys-lru')
    expect(await kindOf(redisStore({ client }), claimOf())).toBe('run')
  })
})
