import { randomUUID } from 'node:crypto'
import { mkdir, rmdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { idempotency } from '@oncekey/express'
import { redisStore } from '@oncekey/redis'
import { freePort, type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import express from 'express'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

// What clients see of a Redis that fails while a handler runs, and what is stored afterwards.

interface Trouble {
  readonly name: string
  begin(server: RedisServer): unknown
  end(server: RedisServer): unknown
}

const troubles: readonly Trouble[] = [
  {
    name: 'is killed and restarted with its data',
    begin: (server) => server.crash(),
    end: (server) => server.restart(),
  },
  {
    name: 'is paused',
    begin: (server) => server.pause(),
    end: (server) => server.resume(),
  },
  {
    name: 'becomes a read-only replica',
    begin: async (server) => server.cli('replicaof', '127.0.0.1', String(await freePort())),
    end: (server) => server.cli('replicaof', 'no', 'one'),
  },
  {
    name: 'has no memory left',
    begin: (server) => server.cli('config', 'set', 'maxmemory', '1'),
    end: (server) => server.cli('config', 'set', 'maxmemory', '0'),
  },
  {
    name: 'has too few replicas',
    begin: (server) => server.cli('config', 'set', 'min-replicas-to-write', '1'),
    end: (server) => server.cli('config', 'set', 'min-replicas-to-write', '0'),
  },
  {
    name: 'cannot write to its disk',
    async begin(server) {
      const gone = `${server.folder}/gone`
      await mkdir(gone)
      await server.cli('config', 'set', 'dir', gone)
      await rmdir(gone)
      await server.cli('config', 'set', 'save', '3600 1')
      await server.cli('bgsave')
      await waitFor(
        async () =>
          (await server.cli('info', 'persistence')).includes('rdb_last_bgsave_status:err'),
        { what: 'the save to fail' },
      )
    },
    async end(server) {
      await server.cli('config', 'set', 'dir', server.folder)
      await server.cli('config', 'set', 'save', '')
      await server.cli('bgsave')
    },
  },
  {
    name: 'revokes our login',
    async begin(server) {
      await server.cli('acl', 'setuser', 'default', '-evalsha', '-eval')
    },
    end: (server) => server.cli('acl', 'setuser', 'default', '+@all'),
  },
]

let server: RedisServer
let client: Redis
let url: string
const closing: (() => Promise<unknown>)[] = []
const runs = new Map<string, number>()
/** Outside effects by their key, as a payment service would record them. */
const charges = new Set<string>()
let duringRun: (() => unknown) | undefined

beforeAll(async () => {
  const durable = { appendonly: 'yes', appendfsync: 'always' }
  server = await startRedis({ settings: { ...durable, 'enable-protected-configs': 'yes' } })
  client = new Redis(server.url, { retryStrategy: () => 50 })
  client.on('error', () => {})
  const once = idempotency({
    store: redisStore({ client, commandTimeoutMs: 500 }),
    scope: 'dangerously-shared',
    leaseMs: 1_000,
  })
  const app = express()
  app.post('/charges', express.json(), once, async (req, res) => {
    const { key = '', attempt, deriveKey } = once.of(req)
    runs.set(key, (runs.get(key) ?? 0) + 1)
    charges.add(deriveKey('charge'))
    const happens = duringRun
    duringRun = undefined
    await happens?.()
    res.status(201).json({ attempt })
  })
  const http = createServer(app).listen(0, '127.0.0.1')
  await new Promise((resolve) => http.once('listening', resolve))
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/charges`
  closing.push(async () => {
    http.closeAllConnections()
    http.close()
    client.disconnect()
    await server.stop()
  })
})
afterAll(async () => {
  for (const close of closing) await close()
})

async function charge(key: string) {
  const headers = { 'idempotency-key': key, 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: '{"cents":1}' })
  const body = (await response.json()) as { code?: string; attempt?: number }
  const replayed = response.headers.get('x-idempotency-replayed') === 'true'
  return { status: response.status, replayed, ...body }
}

describe.each(troubles)('a Redis that $name while a handler runs', (trouble) => {
  test('causes 503, runs nothing new, and recovers within a lease', async () => {
    const [running, fresh] = [randomUUID(), randomUUID()]
    expect(await charge(randomUUID())).toMatchObject({ status: 201 })
    charges.clear()
    duringRun = () => trouble.begin(server)
    try {
      expect(await charge(running)).toMatchObject({ status: 503, code: 'commit-failed' })
      expect(await charge(fresh)).toMatchObject({ status: 503, code: 'store-unavailable' })
      // If Redis still answers claims, it says rightly that the key is taken.
      expect(['in-progress', 'store-unavailable']).toContain((await charge(running)).code)
      expect([runs.get(running), runs.get(fresh)]).toEqual([1, undefined])
    } finally {
      await trouble.end(server)
    }

    const answer = await waitFor(
      async () => {
        const answer = await charge(running)
        return answer.status === 201 && answer
      },
      { what: 'the key to be free, or its response to be there', timeoutMs: 20_000 },
    )
    // The stored response is either the first, which was in the Redis client's queue, or that of
    // one more attempt.
    expect([1, 2]).toContain(answer.attempt)
    expect(answer.replayed).toBe(answer.attempt === 1)
    expect(runs.get(running)).toBe(answer.attempt)
    // With the derived key the service recognised the second charge as a repetition.
    expect(charges.size).toBe(1)
    expect(await charge(running)).toMatchObject({ replayed: true, attempt: answer.attempt })
    expect(await charge(fresh)).toMatchObject({ status: 201, replayed: false })
    expect(runs.get(fresh)).toBe(1)
  })
})
