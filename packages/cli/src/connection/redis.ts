import { Redis } from 'ioredis'
import type { ServerUrl } from './server-url.ts'

export type RedisConnection = Redis

/** Connects once and gives up once: a person waits for the answer. */
export function openRedis({ href }: ServerUrl, timeoutMs: number): RedisConnection {
  const redis = new Redis(href, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectionName: 'oncekey-cli',
  })
  redis.on('error', (error) => lastErrors.set(redis, error))
  return redis
}

/** Why the connection is closed. The errors of commands only say that it is closed. */
export function lastError(redis: RedisConnection): Error | undefined {
  return lastErrors.get(redis)
}

const lastErrors = new WeakMap<RedisConnection, Error>()
