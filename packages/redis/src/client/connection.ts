import type { RedisClient } from './redis-client.ts'

/** Where commands are sent, and how long each may take. */
export interface Connection {
  readonly client: RedisClient
  /** Reconnecting included. Milliseconds. */
  readonly commandTimeoutMs: number
}
