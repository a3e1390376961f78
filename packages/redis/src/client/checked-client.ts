import { OptionsError } from '@oncekey/core'
import {
  fromNodeRedis,
  isNodeRedis,
  type NodeRedisClient,
  type NodeRedisSubscriber,
  subscriberOfNodeRedis,
} from './node-redis.ts'
import type { RedisClient, RedisSubscriber } from './redis-client.ts'

/**
 * Returns the client that runs scripts, whichever library it is of. Throws `OptionsError`, which
 * says what to write instead.
 */
export function checkedClient(client: RedisClient | NodeRedisClient): RedisClient {
  return isNodeRedis(client) ? fromNodeRedis(client) : checkedIoredis(client, 'redisStore')
}

/** As `checkedClient`, for functions that accept only a client of ioredis. */
export function checkedIoredis(client: RedisClient, of: 'redisStore' | 'redisLog'): RedisClient {
  if (has(client, 'evalshaBuffer', 'evalBuffer', 'pipeline', 'info')) return client
  throw new OptionsError(`${of}(): ${complaintOf(client, of)}`)
}

function complaintOf(client: unknown, of: 'redisStore' | 'redisLog'): string {
  const instead = `write \`import { Redis } from 'ioredis'\` and \`${of}({ client: new Redis(url) })\``
  if (has(client, 'invokeScript', 'customCommand')) {
    return `\`client\` is of valkey-glide, which is not supported: ${instead}.`
  }
  if (isNodeRedis(client))
    return `\`client\` is of node-redis, which only redisStore() takes: ${instead}.`
  if (has(client, 'sendCommand')) {
    return (
      `\`client\` is neither of the package "ioredis" nor of "redis" 5 or 6: ${instead}` +
      (of === 'redisStore' ? ', or install redis@6.' : '.')
    )
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
  subscriber: RedisSubscriber | NodeRedisSubscriber,
  client: RedisClient | NodeRedisClient,
): RedisSubscriber {
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

function has(client: unknown, ...methods: string[]): boolean {
  return methods.every((method) => typeof Reflect.get(Object(client), method) === 'function')
}
