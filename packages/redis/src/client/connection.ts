import type { RedisClient } from './redis-client.ts'

/** The client that commands go to, and how long each may take. */
export interface Connection {
  readonly client: RedisClient
  /** The limit for one command, including the time for reconnecting. Milliseconds. */
  readonly commandTimeoutMs: number
}
