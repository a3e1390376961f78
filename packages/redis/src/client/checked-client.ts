import { OptionsError } from '@oncekey/core'
import {
  fromNodeRedis,
  isNodeRedis,
  type NodeRedisClient,
  type NodeRedisSubscriber,
  refuseReplicasOfNodeRedis,
  subscriberOfNodeRedis,
} from './node-redis.ts'
import type { RedisClient, RedisSubscriber } from './redis-client.ts'
import {
  fromGlide,
  type GlideClient,
  type GlideSubscriber,
  hasCallback,
  isGlide,
  subscriberOfGlide,
} from './valkey-glide.ts'

/** A client of any of the libraries: ioredis, iovalkey, node-redis, valkey-glide. */
export type AnyRedisClient = RedisClient | NodeRedisClient | GlideClient

/** A connection of any of them that subscribes. */
export type AnyRedisSubscriber = RedisSubscriber | NodeRedisSubscriber | GlideSubscriber

/**
 * Returns the client that runs scripts, whichever library it is of. Throws `OptionsError`, which
 * says what to write instead.
 */
export function checkedClient(client: AnyRedisClient, of: 'redisStore' | 'redisLog'): RedisClient {
  if (isIoredis(client)) return client
  const known = adapted.get(Object(client))
  if (known !== undefined) return known
  const made = isNodeRedis(client)
    ? fromNodeRedis(client)
    : isGlide(client)
      ? fromGlide(client)
      : undefined
  if (made === undefined) throw new OptionsError(`${of}(): ${complaintOf(client, of)}`)
  adapted.set(client, made)
  return made
}

/** One for each client, so that all stores on it share what is kept for it: `shared-wait.ts`. */
const adapted = new WeakMap<object, RedisClient>()

/** iovalkey is a fork of ioredis and has the same methods. */
function isIoredis(client: unknown): client is RedisClient {
  return has(client, 'evalshaBuffer', 'evalBuffer', 'pipeline', 'info')
}

function complaintOf(client: unknown, of: 'redisStore' | 'redisLog'): string {
  const instead = `write \`import { Redis } from 'ioredis'\` and \`${of}({ client: new Redis(url) })\``
  if (has(client, 'then')) {
    return '`client` is a promise: write `await` before it, as in `await GlideClient.createClient(…)`.'
  }
  if (has(client, 'sendCommand')) {
    return (
      '`client` is not of "ioredis", "iovalkey", "@valkey/valkey-glide", or "redis" 5 or 6: ' +
      `${instead}, or install redis@6.`
    )
  }
  if (has(client, 'eval', 'evalsha')) {
    return `\`client\` has no \`evalshaBuffer\`, so replies would lose bytes: ${instead}.`
  }
  return (
    `\`client\` is missing: write \`${of}({ client: new Redis(url) })\`, ` +
    'with a `Redis` or a `Cluster` of the package "ioredis".'
  )
}

/**
 * Returns the connection that subscribes. Throws `OptionsError`, which says what to write instead.
 */
export function checkedSubscriber(
  subscriber: AnyRedisSubscriber,
  client: AnyRedisClient,
): RedisSubscriber {
  if (isGlide(client)) return checkedGlideSubscriber(subscriber, client)
  const isOfNodeRedis = has(subscriber, 'subscribe', 'withTypeMapping')
  if (!has(subscriber, 'subscribe', 'on') || isOfNodeRedis !== isNodeRedis(client)) {
    throw new OptionsError(
      'redisStore(): `subscriber` is not of the package that `client` is of: write `subscriber: client.duplicate()`.',
    )
  }
  // A Cluster subscribes on a connection of its own.
  const { isCluster = has(client, 'nodeClient') } = client as { isCluster?: boolean }
  if (Object.is(subscriber, client) && !isCluster) {
    throw new OptionsError(
      'redisStore(): `subscriber` is the same connection as `client`, and one that listens takes no ' +
        'other commands: write `subscriber: client.duplicate()`.',
    )
  }
  return isOfNodeRedis
    ? subscriberOfNodeRedis(subscriber as NodeRedisSubscriber)
    : (subscriber as RedisSubscriber)
}

function checkedGlideSubscriber(subscriber: unknown, client: GlideClient): RedisSubscriber {
  const another = 'write `subscriber: await GlideClient.createClient(…)`, which nothing else uses'
  if (!isGlide(subscriber)) {
    throw new OptionsError(
      `redisStore(): \`subscriber\` is not of valkey-glide, as \`client\` is: ${another}.`,
    )
  }
  if (Object.is(subscriber, client)) {
    throw new OptionsError(
      'redisStore(): `subscriber` is the same client as `client`, whose messages the store would take ' +
        `from you: ${another}.`,
    )
  }
  if (!has(subscriber, 'subscribe', 'getPubSubMessage')) {
    throw new OptionsError(
      'redisStore(): `subscriber` cannot subscribe: install @valkey/valkey-glide 2.3 or newer, or leave ' +
        '`subscriber` out.',
    )
  }
  if (hasCallback(subscriber)) {
    throw new OptionsError(
      'redisStore(): `subscriber` gives its messages to a callback (`pubsubSubscriptions`), so the store ' +
        `would get none: ${another}.`,
    )
  }
  return subscriberOfGlide(subscriber as GlideClient & GlideSubscriber)
}

/**
 * Refuses `replicas` for a client that would send `WAIT` on a connection other than the one that
 * wrote, or out of order.
 */
export function refuseReplicas(client: AnyRedisClient): void {
  if (isNodeRedis(client)) refuseReplicasOfNodeRedis(client)
  if (!isGlide(client)) return
  throw new OptionsError(
    'redisStore(): `replicas` needs a script and its `WAIT` on one connection and in this order, which ' +
      'valkey-glide does not promise: use ioredis or iovalkey.',
  )
}

function has(client: unknown, ...methods: string[]): boolean {
  return methods.every((method) => typeof Reflect.get(Object(client), method) === 'function')
}
