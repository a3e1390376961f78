import { readFileSync } from 'node:fs'
import { outboxEvent } from '@oncekey/core'
import { consumer, createRelay } from '@oncekey/outbox'
import { redisLog, redisStore } from '@oncekey/redis'
import { type SentinelGroup, startSentinelGroup, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimOf, completionOf, expectReplay, kindOf, run } from '../servers/claims.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
const [, permissions = ''] = readme.split('## Permissions')
const listed = permissions.match(/(?<=[`\s])\+[a-z]+/g) ?? []

let group: SentinelGroup
const clients: Redis[] = []

beforeAll(async () => {
  group = await startSentinelGroup()
  const rules = ['reset', 'on', '>pw', '~oncekey:*', '&oncekey:ended', ...listed]
  for (const server of [group.primary, ...group.replicas]) {
    await server.cli('acl', 'setuser', 'app', ...rules)
  }
}, 240_000)
afterAll(async () => {
  for (const client of clients) client.disconnect()
  await group.stop()
})

function connect(): Redis {
  const client = new Redis({
    sentinels: group.sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
    name: group.name,
    username: 'app',
    password: 'pw',
    sentinelRetryStrategy: () => 100,
    retryStrategy: () => 100,
  })
  client.on('error', () => {})
  clients.push(client)
  return client
}

test('a user who may do what the README lists goes on behind Sentinel after a failover', async () => {
  const client = connect()
  const store = redisStore({ client, subscriber: connect(), commandTimeoutMs: 20_000 })
  const log = redisLog({ client, commandTimeoutMs: 20_000 })
  const seen = new Set<string | null>()
  const errors: string[] = []
  const relay = createRelay({
    log,
    minPollMs: 2,
    maxPollMs: 50,
    consumers: [
      consumer({
        name: 'email',
        startAt: 'beginning',
        handle: ({ event }) => void seen.add(event.subject),
      }),
    ],
  })
  const append = (subject: string) =>
    log.append([
      outboxEvent({ type: 'order.created', subject }, { source: '/shop', traceparent: undefined }),
    ])
  relay.start()
  try {
    const before = claimOf()
    expect(await (await run(store, before)).complete(completionOf())).toBe('stored')
    await append('before')
    await waitFor(() => seen.has('before'), { what: 'the event before the failover' })
    await group.primary.cli('wait', '1', '5000')

    await group.primary.crash()
    await waitFor(async () => (await group.primaryPort()) !== group.primary.port, {
      what: 'the failover',
      timeoutMs: 30_000,
    })
    await waitFor(
      () =>
        kindOf(store, { ...before, token: 'another' }).then(
          (kind) => kind === 'replay',
          (error) => void errors.push(error.message),
        ),
      { what: 'the new primary', timeoutMs: 30_000 },
    )
    await expectReplay(store, before, 'done')
    expect(await (await run(store, claimOf())).complete(completionOf())).toBe('stored')
    await append('after')
    await waitFor(() => seen.has('after'), { what: 'the event after it', timeoutMs: 30_000 })
    expect(errors.filter((message) => /NOPERM|WRONGPASS|NOAUTH/.test(message))).toEqual([])
  } finally {
    await relay.stop()
  }
}, 240_000)
