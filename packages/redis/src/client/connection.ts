import type { RedisClient } from './redis-client.ts'

/** The client that commands go to, and how long each may take. */
export interface Connection {
  readonly client: RedisClient
  /** Includes reconnecting. Milliseconds. */
  readonly commandTimeoutMs: number
}
