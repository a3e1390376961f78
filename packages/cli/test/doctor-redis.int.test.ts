import {
  durable,
  type RedisServer,
  startPostgres,
  startRedis,
  waitFor,
} from '@oncekey/test-servers'
import { describe, expect, test } from 'vitest'
import { findings } from './findings.ts'

describe('doctor on Redis', () => {
  async function onRedis(
    settings: Record<string, string>,
    work: (redis: RedisServer) => Promise<void>,
  ): Promise<void> {
    const redis = await startRedis({ settings })
    try {
      await work(redis)
    } finally {
      await redis.stop()
    }
  }

  test('finds nothing where nothing is wrong', async () => {
    await onRedis({ appendonly: 'yes' }, async ({ url }) => {
      const { found, checks } = await findings(['--redis', url])
      expect(found).toEqual([])
      expect(checks).toHaveLength(5)
    })
  })

  test('eviction, memory that is full, and nothing on disk', async () => {
    await onRedis(
      { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' },
      async ({ url, cli }) => {
        await cli('config', 'set', 'maxmemory', '600kb')
        const { found } = await findings(['--redis', url])
        expect(found.map(({ level, what }) => `${level}: ${what}`)).toEqual([
          'fault: maxmemory-policy is allkeys-lru.',
          expect.stringMatching(/^warning: \d+ % of maxmemory is in use\.$/),
          'fault: Nothing is written to disk: neither appendonly nor save is on.',
        ])
      },
    )
  })

  test('snapshots alone, and a file that nobody flushes', async () => {
    await onRedis({ save: '3600 1' }, async ({ url, cli }) => {
      const { found } = await findings(['--redis', url])
      expect(found.map(({ what }) => what)).toEqual([
        'Only snapshots are written to disk (save 3600 1).',
      ])
      await cli('config', 'set', 'appendonly', 'yes')
      await cli('config', 'set', 'appendfsync', 'no')
      const lazy = await findings(['--redis', url])
      expect(lazy.found.map(({ what }) => what)).toEqual(['appendfsync is no.'])
    })
  })

  test('replicas without min-replicas-to-write, and a replica that was named by mistake', async () => {
    await onRedis({ appendonly: 'yes' }, async (primary) => {
      await onRedis({ appendonly: 'yes' }, async (replica) => {
        await replica.cli('replicaof', '127.0.0.1', String(primary.port))
        await waitFor(
          async () => (await primary.cli('info', 'replication')).includes('connected_slaves:1'),
          { what: 'the replica to be connected' },
        )
        const { found } = await findings(['--redis', primary.url])
        expect(found.map(({ what }) => what)).toEqual([
          'There is 1 replica, and min-replicas-to-write is 0.',
        ])
        await primary.cli('config', 'set', 'min-replicas-to-write', '1')
        expect((await findings(['--redis', primary.url])).found).toEqual([])
        const named = await findings(['--redis', replica.url])
        expect(named.found.map(({ what }) => what)).toContain('The server is a replica.')
      })
    })
  })

  test('beside a database, both are looked at', async () => {
    const postgres = await startPostgres({ settings: durable })
    try {
      await onRedis({ appendonly: 'yes' }, async ({ url }) => {
        const env = { DATABASE_URL: postgres.url, REDIS_URL: url }
        const { checks } = await findings([], env)
        const names = checks.map(({ check }) => check)
        expect(names).toContain('server')
        expect(names).toContain('redis server')
      })
    } finally {
      await postgres.stop()
    }
  })
})
