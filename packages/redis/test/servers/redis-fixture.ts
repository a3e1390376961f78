import type { StoreFixture } from '@oncekey/conformance'
import type { Attempt, OutboxEvent, Store } from '@oncekey/core'
import type { RedisStoreOptions } from '@oncekey/redis'
import { redisStore } from '@oncekey/redis'
import { startProxy, type TcpProxy } from '@oncekey/test-servers'
import { claimOf, run } from './claims.ts'

/**
 * The part of a connection that the tests use; both versions of ioredis and their Clusters have it.
 */
export interface Connection {
  options: unknown
  call(command: string, ...args: (string | number)[]): Promise<unknown>
  disconnect(): void
}

/** Makes the connections of one store: its client and its subscriber. */
export type Connect = () => RedisStoreOptions['client'] &
  NonNullable<RedisStoreOptions['subscriber']> &
  Connection

/**
 * A fixture for the store contract on a server, or a cluster, that tests share. `connectThrough`
 * connects to it through a proxy.
 */
export function redisFixture(
  connect: Connect,
  read: Read,
  connectThrough?: { readonly port: number; connect(port: number): ReturnType<Connect> },
): StoreFixture<never> {
  const connections: Connection[] = []
  const proxies: TcpProxy[] = []
  const another = (): Store<never> => {
    const [client, subscriber] = [connect(), connect()]
    connections.push(client, subscriber)
    return redisStore({ client, subscriber })
  }
  return fixtureOf({
    first: another(),
    another,
    read,
    async close() {
      for (const connection of connections) connection.disconnect()
      for (const proxy of proxies) await proxy.stop()
    },
    ...(connectThrough !== undefined && {
      unanswered: () => unanswered(connectThrough),
      sentTwice: () => sentTwice(connectThrough),
    }),
  })

  async function behindProxy({ port, connect: through }: NonNullable<typeof connectThrough>) {
    const proxy = await startProxy(port)
    proxies.push(proxy)
    const client = through(proxy.port)
    connections.push(client)
    const store = redisStore({ client, commandTimeoutMs: 1_000 })
    // The first claim asks for the eviction policy, so the one that is tested is sent at once.
    await (await run(store, claimOf())).release()
    return { proxy, client, store }
  }

  async function sentTwice(through: NonNullable<typeof connectThrough>) {
    const { proxy, store } = await behindProxy(through)
    let deliver = async (): Promise<void> => {}
    const begin: typeof store.begin = async (claim) => {
      const stranded = proxy.strandBefore(claim.token)
      const decision = await store.begin(claim)
      deliver = await stranded
      return decision
    }
    return { store: { ...store, begin }, deliver: () => deliver() }
  }

  async function unanswered(through: NonNullable<typeof connectThrough>) {
    const { proxy, client, store } = await behindProxy(through)
    proxy.stallUpstream()
    return {
      store,
      async answer() {
        proxy.resume()
        // This command is sent behind those that wait on the one connection.
        await client.call('ping')
      },
    }
  }
}

type Read = (...command: [string, ...(string | number)[]]) => Promise<unknown[]>

/** A fixture for stores with any client. */
export function fixtureOf({
  first,
  another,
  read,
  close,
  unanswered,
  sentTwice,
}: {
  readonly first: Store<never>
  another(): Store<never> | Promise<Store<never>>
  readonly read: Read
  close(): void | Promise<void>
  readonly unanswered?: NonNullable<StoreFixture<never>['unanswered']>
  readonly sentTwice?: NonNullable<StoreFixture<never>['sentTwice']>
}): StoreFixture<never> {
  const expire = async (pattern: string): Promise<void> => {
    const keys = (await read('keys', pattern)).flat().map(String)
    for (const key of keys) await read('pexpire', key, 1)
    while ((await read('keys', pattern)).flat().length > 0);
  }
  return {
    store: spaced(first, read),
    another: async () => spaced(await another(), read),
    events: async () => {
      const outboxes = (await read('keys', '*outbox')).flat().map(String)
      const entries = await Promise.all(outboxes.map((key) => read('xrange', key, '-', '+')))
      return (entries.flat(2) as [string, string[]][])
        .map(([id, fields]) => ({ id, event: eventIn(fields) }))
        .sort((one, two) => inTime(one.id, two.id))
        .map(({ event }) => event)
    },
    expireResults: () => expire('*:result:*'),
    expireKeys: () => expire('*:key:*'),
    async lose({ key }) {
      const [record] = (await read('keys', `*:key:*:${key}`)).flat().map(String)
      if (record === undefined) throw new Error(`There is no record of ${key}`)
      const freed = (await read('hget', record, 'freed')).flat()
      const past = (await read('hget', record, 'past')).flat()
      await read('del', record)
      // A key that was released before the claim is back as it was.
      if (freed.includes('1')) {
        await read('hset', record, 'v', '1', 'state', 'free', 'past', past.join('') || '\n')
        await read('pexpire', record, 3_600_000)
      }
    },
    ...(unanswered !== undefined && { unanswered }),
    ...(sentTwice !== undefined && { sentTwice }),
    close,
  }
}

/** Parses an entry of the outbox as the relay does. */
export function eventIn(fields: readonly string[]): OutboxEvent {
  const of = (name: string): string | undefined => {
    const at = fields.findIndex((field, index) => index % 2 === 0 && field === name)
    return at === -1 ? undefined : fields[at + 1]
  }
  return {
    id: of('id') ?? '',
    type: of('type') ?? '',
    source: of('source') ?? '',
    subject: of('subject') ?? null,
    orderingKey: of('partitionkey') ?? '',
    data: of('data') ?? '',
    headers: JSON.parse(of('headers') ?? '{}'),
    occurredAt: new Date(of('time') ?? ''),
  }
}

function inTime(one: string, two: string): number {
  const [oneMs = 0, oneNumber = 0] = one.split('-').map(Number)
  const [twoMs = 0, twoNumber = 0] = two.split('-').map(Number)
  return oneMs - twoMs || oneNumber - twoNumber
}

/**
 * Delays completions so that each gets a millisecond of its own: entries of different streams can
 * be ordered by the millisecond only, and the suite must tell which of two completions came first.
 */
function spaced(
  store: Store<never>,
  read: (...command: [string]) => Promise<unknown[]>,
): Store<never> {
  const millisecond = async (): Promise<string> => {
    const times = (await read('time')) as string[][]
    return times
      .map(([seconds, micros]) => `${seconds}${micros?.padStart(6, '0').slice(0, 3)}`)
      .join()
  }
  const spacedAttempt = (attempt: Attempt<never>): Attempt<never> => ({
    ...attempt,
    async complete(completion) {
      const outcome = await attempt.complete(completion)
      if (completion.events.length > 0) {
        const completedAt = await millisecond()
        while ((await millisecond()) === completedAt);
      }
      return outcome
    },
  })
  return {
    ...store,
    open: async (options) => spacedAttempt(await store.open(options)),
    begin: async (claim) => {
      const decision = await store.begin(claim)
      return decision.kind === 'run'
        ? { kind: 'run', attempt: spacedAttempt(decision.attempt) }
        : decision
    },
  }
}
