import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, startReplicas, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { claimOf, completionOf, errorOf, eventOf, kindOf, retryOf, run } from '../servers/claims.ts'

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
    // What the log needs besides is listed apart.
    const [ofStore = ''] = permissions.split('`redisLog` also needs')
    const commands = ofStore.match(/(?<=[`\s])\+[a-z]+/g) ?? []
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
    const abandoned = claimOf()
    await (await run(store, abandoned)).abandon()
    expect(await store.keys.release(abandoned, { actor: 'ops', note: 'it is over' })).toBe('done')
    const { items } = await store.operations.list({}, { limit: 10 })
    expect(items.map(({ act }) => act)).toEqual(['keys.release'])
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
    // It also works without the channel: waiting claims then return at their deadline.
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
  })

  // A bug: the claim had written before it was refused, and was not given back: the key stayed taken.
  test('a command in the middle of a claim, which is given back', async () => {
    await client.call('ACL', 'SETUSER', 'half', 'reset', 'on', '>pw', '~*', '+@all', '-pexpire')
    const as = { username: 'half', password: 'pw', enableReadyCheck: false }
    const claim = claimOf({ whenUnknown: 'hold' })
    const error = await errorOf(redisStore({ client: connect(server.url, as) }).begin(claim))
    expect(error.code).toBe('store-unavailable')
    const store = redisStore({ client })
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'run', {
      what: 'the key to be free',
    })
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
