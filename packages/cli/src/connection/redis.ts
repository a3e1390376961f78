import { Redis } from 'ioredis'
import type { ServerUrl } from './server-url.ts'

export type RedisConnection = Redis

/** Connects once, without retries, because a person waits for the result. */
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

/** Why the connection is closed. Errors of commands say only that it is. */
export function lastError(redis: RedisConnection): Error | undefined {
  return lastErrors.get(redis)
}

const lastErrors = new WeakMap<RedisConnection, Error>()
