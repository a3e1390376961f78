import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { redisStore } from '@oncekey/redis'
import {
  freePort,
  type RedisServer,
  startRedis,
  startReplicas,
  waitFor,
} from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  errorOf,
  eventOf,
  expectReplay,
  kindOf,
  responseOf,
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

describe('a Redis that is not there', () => {
  test.each([
    ['ioredis 6', Redis],
    ['ioredis 5', Redis5],
  ] as const)(
    'causes an error within the configured time, with the defaults of %s',
    async (_, Client) => {
      const client: Redis | Redis5 = Reflect.construct(Client, [await freePort()])
      client.on('error', () => {})
      open.push(client)
      const store = redisStore({ client, commandTimeoutMs: 300 })
      const startedAt = performance.now()
      const error = await errorOf(store.begin(claimOf()))
      expect(performance.now() - startedAt).toBeLessThan(2_000)
      expect(error).toMatchObject({ code: 'store-unavailable' })
      expect(error.message).toContain('no answer within 300 ms')
      expect(error.cause).toBeInstanceOf(Error)
    },
  )

  test('causes an error at once if the client does not queue', async () => {
    const client = connect(await freePort(), { enableOfflineQueue: false })
    const error = await errorOf(redisStore({ client }).begin(claimOf()))
    expect(error.code).toBe('store-unavailable')
  })

  test('causes an error for a waiting claim, too, however long it would wait', async () => {
    const client = connect(await freePort())
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const startedAt = performance.now()
    expect((await errorOf(store.begin(claimOf({ waitMs: 60_000 })))).code).toBe('store-unavailable')
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})

describe('a Redis that goes away', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  })
  afterEach(() => server.stop())

  test('before the completion causes `commit-failed`, and the retry finds the outcome once it is back', async () => {
    const client = connect(server.url, { retryStrategy: () => 50 })
    const store = redisStore({ client, commandTimeoutMs: 300 })
    const [claim, events] = [claimOf(), [eventOf()]]
    const attempt = await run(store, claim)
    await server.crash()
    expect((await errorOf(attempt.complete(completionOf({ events })))).code).toBe('commit-failed')
    expect((await errorOf(store.begin(retryOf(claim)))).code).toBe('store-unavailable')
    await server.restart()
    // The client still had the completion in its queue.
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
      what: 'the completion to arrive',
    })
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    const streams = await client.keys('*outbox')
    expect(await client.xlen(streams[0] ?? '')).toBe(1)
  })

  test('before the completion, with a client that does not resend, leaves the key to its attempt', async () => {
    const options = { retryStrategy: () => 50, enableOfflineQueue: false }
    const client = connect(server.url, options)
    await waitFor(() => client.status === 'ready', { what: 'the connection' })
    const store = redisStore({ client, commandTimeoutMs: 300 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    await server.crash()
    expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
    await server.restart()
    await waitFor(() => client.status === 'ready', { what: 'the connection' })
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    expect(await attempt.complete(completionOf())).toBe('stored')
    await expectReplay(store, claim, 'done')
  })

  test('makes a renewal fail, and the next one succeeds', async () => {
    const client = connect(server.url, { retryStrategy: () => 50 })
    const store = redisStore({ client, commandTimeoutMs: 300 })
    const attempt = await run(store, claimOf())
    await server.crash()
    expect((await errorOf(attempt.renew(60_000))).code).toBe('store-unavailable')
    expect((await errorOf(attempt.release())).code).toBe('store-unavailable')
    await server.restart()
  })
})

describe('a Redis that was restarted without its data', () => {
  test('gets the record back from the renewal and the completion of the running attempt', async () => {
    const server = await startRedis()
    try {
      const client = connect(server.url, { retryStrategy: () => 50 })
      const store = redisStore({ client })
      const [renewed, completed, abandoned] = [
        claimOf(),
        claimOf(),
        claimOf({ whenUnknown: 'hold' }),
      ]
      const attempts = [await run(store, renewed), await run(store, completed)]
      const lost = await run(store, abandoned)
      await server.crash()
      await server.restart()

      expect(await attempts[0]?.renew(60_000)).toBe('held')
      expect(await kindOf(store, retryOf(renewed))).toBe('in-progress')
      expect(await attempts[0]?.complete(completionOf())).toBe('stored')
      expect(await attempts[1]?.complete(completionOf())).toBe('stored')
      await expectReplay(store, completed, 'done')
      await lost.abandon()
      expect(await kindOf(store, retryOf(abandoned))).toBe('unknown')
    } finally {
      await server.stop()
    }
  })

  test('does not get back a key that another attempt has taken since', async () => {
    const server = await startRedis()
    try {
      const client = connect(server.url, { retryStrategy: () => 50 })
      const store = redisStore({ client })
      const claim = claimOf()
      const before = await run(store, claim)
      await server.crash()
      await server.restart()
      const now = await run(store, retryOf(claim))
      expect(await before.renew(60_000)).toBe('stale')
      expect(await before.complete(completionOf())).toBe('superseded')
      await now.release()
      expect(await before.complete(completionOf())).toBe('superseded')
      expect(await kindOf(store, retryOf(claim))).toBe('run')
    } finally {
      await server.stop()
    }
  })
})

describe('a Redis that is paused', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await startRedis()
  })
  afterEach(() => server.stop())

  test('does not leave the key to a claim that timed out: a late win is given back', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    await run(store, claimOf())
    const claim = claimOf({ whenUnknown: 'hold' })
    server.pause()
    expect((await errorOf(store.begin(claim))).code).toBe('store-unavailable')
    server.resume()
    const decision = await waitFor(
      async () => {
        const answer = await store.begin(retryOf(claim))
        return answer.kind === 'run' && answer
      },
      { what: 'the key to be free' },
    )
    expect(decision.attempt.number).toBe(1)
  })

  test('keeps an unknown outcome unknown after a claim that timed out has retaken it', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const claim = claimOf()
    await (await run(store, claim)).abandon()
    server.pause()
    expect((await errorOf(store.begin(retryOf(claim)))).code).toBe('store-unavailable')
    server.resume()
    const held = retryOf(claim, { whenUnknown: 'hold' })
    await waitFor(async () => (await kindOf(store, held)) === 'unknown', {
      what: 'the claim to be given back',
    })
    const decision = await store.begin(retryOf(claim))
    // The second attempt never ran, but it was counted.
    expect(decision).toMatchObject({ kind: 'run', attempt: { number: 3 } })
  })

  test('keeps the attempt for the same claim when it is sent again', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    await run(store, claimOf())
    const claim = claimOf()
    server.pause()
    expect((await errorOf(store.begin(claim))).code).toBe('store-unavailable')
    const again = store.begin(claim)
    server.resume()
    const decision = await again
    expect(decision.kind).toBe('run')
    // If the first claim were given back now, this would find a released key.
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    if (decision.kind === 'run') {
      expect(await decision.attempt.complete(completionOf())).toBe('stored')
    }
  })

  test('causes `commit-failed` for a completion, which is stored later all the same', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    server.pause()
    const error = await errorOf(attempt.complete(completionOf()))
    expect(error).toMatchObject({ code: 'commit-failed' })
    server.resume()
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
      what: 'the completion to arrive',
    })
  })
})

describe('a Redis that refuses', () => {
  let server: RedisServer
  let client: Redis
  beforeAll(async () => {
    server = await startRedis({
      settings: {
        'enable-debug-command': 'yes',
        'enable-protected-configs': 'yes',
        'loading-process-events-interval-bytes': '1024',
      },
    })
  })
  afterAll(() => server.stop())
  beforeEach(() => {
    client = connect(server.url, { enableReadyCheck: false })
  })

  test('writes because it is a read-only replica', async () => {
    const [replica] = await startReplicas(server, 1)
    try {
      const store = redisStore({ client: connect(replica?.url ?? '') })
      const error = await errorOf(store.begin(claimOf()))
      expect(error).toMatchObject({ code: 'store-unavailable', cause: { name: 'ReplyError' } })
      expect(error.message).toContain('read-only replica; connect it to the primary')
    } finally {
      await replica?.stop()
    }
  })

  test('everything because it is a replica without a primary', async () => {
    const primary = await startRedis()
    const [replica] = await startReplicas(primary, 1, (settings) =>
      startRedis({ settings: { ...settings, 'replica-serve-stale-data': 'no' } }),
    )
    try {
      await primary.stop()
      await waitFor(
        async () =>
          (await replica?.cli('info', 'replication'))?.includes('master_link_status:down'),
        { what: 'the link to be down' },
      )
      const options = { enableReadyCheck: false }
      const store = redisStore({ client: connect(replica?.url ?? '', options) })
      const error = await errorOf(store.begin(claimOf()))
      expect(error.code).toBe('store-unavailable')
      expect(error.message).toContain('lost its primary')
    } finally {
      await replica?.stop()
    }
  })

  test('everything while it loads its data', async () => {
    const store = redisStore({ client })
    await run(store, claimOf())
    await client.eval("for i = 1, 2000 do redis.call('SET', 'filler:' .. i, i) end", 0)
    await server.cli('config', 'set', 'key-load-delay', '1000')
    const reloading = server.cli('debug', 'reload')
    const error = await waitFor(
      () =>
        store.begin(claimOf()).then(
          () => undefined,
          (refused) => refused,
        ),
      { what: 'a refusal' },
    )
    expect(error.code).toBe('store-unavailable')
    expect(error.message).toContain('loading its data')
    await server.cli('config', 'set', 'key-load-delay', '0')
    await reloading
    expect(await kindOf(store, claimOf())).toBe('run')
  })

  test("everything while somebody else's script runs", async () => {
    const store = redisStore({ client })
    await run(store, claimOf())
    await server.cli('config', 'set', 'busy-reply-threshold', '10')
    const busy = server.cli('eval', 'while true do end', '0').catch(() => {})
    const error = await waitFor(
      () =>
        store.begin(claimOf()).then(
          () => undefined,
          (refused) => refused,
        ),
      { what: 'a refusal' },
    )
    expect(error.code).toBe('store-unavailable')
    expect(error.message).toContain('keeps it busy')
    await server.cli('script', 'kill')
    await busy
    expect(await kindOf(store, claimOf())).toBe('run')
  })

  test('writes because it has too few replicas', async () => {
    const store = redisStore({ client })
    const claim = claimOf()
    const attempt = await run(store, claim)
    await client.config('SET', 'min-replicas-to-write', '1')
    try {
      const begun = await errorOf(store.begin(claimOf()))
      expect(begun.code).toBe('store-unavailable')
      expect(begun.message).toContain('min-replicas-to-write')
      expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
    } finally {
      await client.config('SET', 'min-replicas-to-write', '0')
    }
    expect(await attempt.complete(completionOf())).toBe('stored')
  })

  test('writes because it cannot save them', async () => {
    const store = redisStore({ client })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const gone = join(server.folder, 'gone')
    mkdirSync(gone)
    await client.config('SET', 'dir', gone)
    rmdirSync(gone)
    await client.config('SET', 'save', '3600 1')
    const savedIs = async (status: string): Promise<boolean> =>
      (await client.info('persistence')).includes(`rdb_last_bgsave_status:${status}`)
    try {
      await client.bgsave()
      await waitFor(() => savedIs('err'), { what: 'the save to fail' })
      const begun = await errorOf(store.begin(claimOf()))
      expect(begun.code).toBe('store-unavailable')
      expect(begun.message).toContain('cannot write to its disk')
      expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
    } finally {
      await client.config('SET', 'dir', server.folder, 'save', '')
    }
    expect(await attempt.complete(completionOf())).toBe('stored')
  })

  test('a client that is not signed in', async () => {
    const store = redisStore({ client })
    await run(store, claimOf())
    await client.config('SET', 'requirepass', 'secret')
    try {
      const stranger = connect(server.url, { enableReadyCheck: false })
      const error = await errorOf(redisStore({ client: stranger }).begin(claimOf()))
      expect(error.code).toBe('store-unavailable')
      expect(error.message).toContain('not signed in')
    } finally {
      await client.config('SET', 'requirepass', '')
    }
  })

  test('nothing to a user with the permissions in the README', async () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const [, permissions = ''] = readme.split('## Permissions')
    const commands = permissions.match(/(?<=[`\s])\+[a-z]+/g) ?? []
    expect(commands).toContain('+wait')
    const rules = ['reset', 'on', '>pw', '~oncekey:*', '&oncekey:ended', ...commands]
    await client.call('ACL', 'SETUSER', 'listed', ...rules)
    const as = { username: 'listed', password: 'pw', enableReadyCheck: false }
    const replicas = { count: 1, timeoutMs: 10 }
    const store = redisStore({ client: connect(server.url, as) })
    const waiting = redisStore({ client: connect(server.url, as), replicas })
    const attempt = await run(store, claimOf())
    expect(await attempt.renew(60_000)).toBe('held')
    expect(await attempt.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
    await (await run(store, claimOf())).release()
    await (await run(store, claimOf())).abandon()
    const open = await store.open({ leaseMs: 1 })
    expect(await open.complete(completionOf({ events: [eventOf()] }))).toBe('stored')
    const replicated = await errorOf((await run(waiting, claimOf())).complete(completionOf()))
    expect(replicated.message).toContain('0 of 1 replicas')
  })

  test('commands that its user may not use, even INFO', async () => {
    await client.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~oncekey:*', '+@all', '-info')
    const as = { username: 'app', password: 'pw', enableReadyCheck: false }
    const store = redisStore({ client: connect(server.url, as) })
    const claim = claimOf()
    const attempt = await run(store, claim)
    await client.call('ACL', 'SETUSER', 'app', '-xadd')
    const events = [eventOf()]
    const error = await errorOf(attempt.complete(completionOf({ events })))
    expect(error.code).toBe('commit-failed')
    expect(error.message).toContain('may not use a command')
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    await client.call('ACL', 'SETUSER', 'app', '+xadd', 'resetchannels')
    // Without the channel, too: waiting claims then return at their deadline.
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
  })

  test('a key of ours that holds another type', async () => {
    const store = redisStore({ client })
    const claim = claimOf()
    await (await run(store, claim)).release()
    const [record = ''] = await client.keys(`*${claim.key}`)
    await client.set(record, 'another program')
    const error = await errorOf(store.begin(retryOf(claim)))
    expect(error.code).toBe('store-unavailable')
    expect(error.message).toContain('not one of the store')
  })
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

    await client.config('SET', 'maxmemory', '0')
    expect(await client.keys('*outbox')).toEqual([])
    expect(await client.keys('*result:*')).toEqual([])
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    expect(await kindOf(store, retryOf(other))).toBe('run')
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    await expectReplay(store, claim, 'done')
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

describe('errors', () => {
  test('contain neither the response nor the token of an attempt', async () => {
    const server = await startRedis()
    try {
      const client = connect(server.url)
      const store = redisStore({ client })
      const claim = claimOf()
      const attempt = await run(store, claim)
      await client.config('SET', 'maxmemory', '1')
      const response = responseOf('a card number')
      const error = await errorOf(attempt.complete(completionOf({ response })))
      const shown = inspect(error, { depth: 10 }) + JSON.stringify(error.cause)
      expect(shown).not.toContain(claim.token)
      expect(shown).not.toContain('a card number')
      expect(shown).not.toContain(Buffer.from('a card number').toString('hex').slice(0, 12))
      expect(shown).not.toContain([...Buffer.from('a card')].join(','))
    } finally {
      await server.stop()
    }
  })
})
