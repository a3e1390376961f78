import { setTimeout } from 'node:timers/promises'
import { redisStore } from '@oncekey/redis'
import { type RedisCluster, startRedisCluster, waitFor } from '@oncekey/test-servers'
import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5 } from 'ioredis5'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { recordKeys } from '../../src/store/record/record-keys.ts'
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
import { beginToMove } from '../servers/moving-slot.ts'

let cluster: RedisCluster
const nodes: Redis[] = []
const open: { disconnect(): void }[] = []

beforeAll(async () => {
  cluster = await startRedisCluster()
  nodes.push(...cluster.primaries.map(({ url }) => new Redis(url)))
}, 240_000)
afterAll(async () => {
  for (const node of nodes) node.disconnect()
  await cluster.stop()
})
afterEach(() => {
  for (const client of open.splice(0)) client.disconnect()
})

const hosts = () => cluster.primaries.map(({ port }) => ({ host: '127.0.0.1', port }))

function kept<Client extends { disconnect(): void }>(client: Client): Client {
  open.push(client)
  return client
}

const clients = [
  { name: 'ioredis 6', connect: () => kept(new Cluster(hosts())), replicas: undefined },
  {
    name: 'ioredis 5 that pipelines by itself, with a key prefix',
    connect: () => kept(new Cluster5(hosts(), { enableAutoPipelining: true, keyPrefix: 'app:' })),
    replicas: undefined,
  },
  {
    name: 'a client that redirects once',
    connect: () => kept(new Cluster(hosts(), { maxRedirections: 2, retryDelayOnTryAgain: 10 })),
    replicas: undefined,
  },
  {
    name: 'a client that follows no redirection',
    connect: () => kept(new Cluster(hosts(), { maxRedirections: 0, slotsRefreshInterval: 200 })),
    replicas: undefined,
  },
  {
    name: 'ioredis 5 that pipelines by itself and follows no redirection',
    connect: () =>
      kept(
        new Cluster5(hosts(), {
          enableAutoPipelining: true,
          maxRedirections: 0,
          slotsRefreshInterval: 200,
        }),
      ),
    replicas: undefined,
  },
  {
    name: '`replicas`',
    connect: () => kept(new Cluster(hosts())),
    replicas: { count: 1, timeoutMs: 5_000 },
  },
]

const KEYS = 60

/** Claims whose records are all in one slot. */
function claimsTogether(count: number) {
  const tagOf = (claim: ReturnType<typeof claimOf>) => recordKeys(claim).record.split('}')[0]
  const claims = [claimOf()]
  while (claims.length < count) {
    const other = claimOf()
    if (tagOf(other) === tagOf(claims[0] as typeof other)) claims.push(other)
  }
  return claims
}

test.each(clients)(
  'a slot that is moved key by key lets what runs complete, and what comes begin: $name',
  async ({ connect, replicas }) => {
    const store = redisStore({
      client: connect(),
      commandTimeoutMs: 20_000,
      ...(replicas && { replicas }),
    })
    // A bug: after its last redirection ioredis says in other words that a script is not known, or,
    // in a pipeline, nothing at all.
    await Promise.all(nodes.map((node) => node.script('FLUSH')))
    const claims = claimsTogether(KEYS)
    const [before, during] = [claims.slice(0, 30), claims.slice(30)]
    const attempts = await Promise.all(before.map((claim) => run(store, claim)))
    const [record = ''] = (await keysOfAll()).filter((key) => key.endsWith(before[0]?.key ?? ''))
    const moving = await beginToMove(cluster, nodes, record)

    let moved = 0
    const completions = attempts.map(async (attempt, at) => {
      await waitFor(() => moved >= at, { what: 'its turn', timeoutMs: 30_000 })
      return attempt.complete(completionOf({ events: [eventOf()] }))
    })
    const requests = during.map(async (claim, at) => {
      await waitFor(() => moved >= at, { what: 'its turn', timeoutMs: 30_000 })
      return (await run(store, claim)).complete(completionOf())
    })
    // This takes longer than ioredis follows redirections by itself.
    for (; moved < KEYS && (await moving.moveKeys(1)) > 0; moved += 1) await setTimeout(40)
    moved = KEYS
    await moving.finish()

    for (const outcome of await Promise.all([...completions, ...requests])) {
      expect(outcome).toBe('stored')
    }
    for (const claim of claims) await expectReplay(store, claim, 'done')
  },
  60_000,
)

async function keysOfAll(): Promise<string[]> {
  return (await Promise.all(nodes.map((node) => node.keys('*:key:*')))).flat()
}

test('a move that takes longer is said, starts no handler, and loses no completion', async () => {
  const client = kept(new Cluster(hosts()))
  const store = redisStore({ client, commandTimeoutMs: 1_500 })
  const [claim = claimOf(), fresh = claimOf()] = claimsTogether(2)
  const attempt = await run(store, claim)
  const moving = await beginToMove(cluster, nodes, recordKeys(claim).record)

  const completing = errorOf(attempt.complete(completionOf({ events: [eventOf()] })))
  const [refused, failed] = await Promise.all([errorOf(store.begin(fresh)), completing])
  expect(refused).toMatchObject({ code: 'store-unavailable' })
  expect(refused.message).toContain('is being moved between nodes')
  expect(failed).toMatchObject({ code: 'commit-failed' })
  expect(failed.message).toContain('is being moved between nodes')
  // The message contains the last refusal that ioredis got.
  expect(failed.message).toMatch(/TRYAGAIN|MOVED|ASK/)

  await moving.finish()
  await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
    what: 'the completion to be stored after all',
  })
  await expectReplay(store, claim, 'done')
  expect(await kindOf(store, retryOf(fresh))).toBe('run')
})
