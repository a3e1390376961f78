import { OptionsError } from '@oncekey/core'
import {
  type AnyRedisClient,
  type AnyRedisSubscriber,
  checkedClient,
  checkedSubscriber,
  refuseReplicas,
} from '../client/checked-client.ts'
import type { Connection } from '../client/connection.ts'
import type { RedisSubscriber } from '../client/redis-client.ts'
import type { Replicas } from '../client/replicas.ts'

/** Options of `redisStore`. */
export interface RedisStoreOptions {
  /**
   * A `Redis` or `Cluster` of ioredis 5 or 6 or of iovalkey; a client, pool, cluster or sentinel of
   * node-redis (the package `redis`) 5 or 6; or a `GlideClient` or `GlideClusterClient` of
   * valkey-glide. It stays yours: you connect it, listen for its errors and close it.
   */
  readonly client: AnyRedisClient
  /**
   * A second connection (`client.duplicate()`, or another client of valkey-glide), on which this
   * process is told when an attempt of another process ends. Without it, a claim with `waitMs` is
   * told only of attempts of its own process; for any other attempt it asks again once, when its
   * waiting time or the lease is over. @default none
   */
  readonly subscriber?: AnyRedisSubscriber
  /**
   * How long Redis may take to reply to one command, reconnecting included. Milliseconds. @default
   * 2_000
   */
  readonly commandTimeoutMs?: number
  /**
   * How long a response is replayed; after that, retries get `result-gone`. Milliseconds. @default
   * 86_400_000 (24 h)
   */
  readonly resultRetentionMs?: number
  /**
   * How long a key is remembered after its attempt ended; after that, a request with it runs
   * again. Milliseconds. @default 604_800_000 (7 d)
   */
  readonly keyRetentionMs?: number
  /**
   * How many replicas must have a completion before it counts (`WAIT`). If fewer have it within
   * `timeoutMs`, a completion throws `commit-failed` and a replay `store-unavailable`. `timeoutMs`
   * is at most half of `commandTimeoutMs`, because `WAIT` holds up every other command of its
   * connection, and less than a quarter of `leaseMs`. What this promises and what it does not is
   * under "How durable it is" on the page of `@oncekey/redis`.
   * @default none: only the primary counts
   */
  readonly replicas?: Replicas
  /**
   * What to do if Redis evicts keys when its memory is full: an evicted record lets its handler run
   * a second time. `refuse`: every claim throws `store-unavailable`. @default 'refuse'
   */
  readonly whenEvicting?: 'refuse' | 'warn'
}

/** Options after construction: nothing optional is left to decide. */
export interface ResolvedOptions extends Connection {
  readonly subscriber: RedisSubscriber | undefined
  readonly resultRetentionMs: number
  readonly keyRetentionMs: number
  readonly replicas: Replicas | undefined
  readonly whenEvicting: 'refuse' | 'warn'
}

/** Validates and completes options, once. Throws {@link OptionsError}. */
export function resolveOptions(options: RedisStoreOptions): ResolvedOptions {
  const client = checkedClient(options?.client, 'redisStore')
  const resolved: ResolvedOptions = {
    client,
    subscriber:
      options.subscriber === undefined
        ? undefined
        : checkedSubscriber(options.subscriber, options.client),
    commandTimeoutMs: options.commandTimeoutMs ?? 2_000,
    resultRetentionMs: options.resultRetentionMs ?? 24 * 60 * 60 * 1000,
    keyRetentionMs: options.keyRetentionMs ?? 7 * 24 * 60 * 60 * 1000,
    replicas: options.replicas,
    whenEvicting: options.whenEvicting ?? 'refuse',
  }
  wholeNumber('commandTimeoutMs', resolved.commandTimeoutMs, LONGEST_TIMEOUT_MS)
  wholeNumber('resultRetentionMs', resolved.resultRetentionMs, LONGEST_RETENTION_MS)
  wholeNumber('keyRetentionMs', resolved.keyRetentionMs, LONGEST_RETENTION_MS)
  if (resolved.keyRetentionMs < resolved.resultRetentionMs) {
    throw new OptionsError(
      `redisStore(): \`keyRetentionMs\` must not be shorter than \`resultRetentionMs\`, or the handler of a forgotten key runs ` +
        `again: write at least ${resolved.resultRetentionMs}.`,
    )
  }
  if (resolved.replicas !== undefined) {
    refuseReplicas(options.client)
    wholeNumber('replicas.count', resolved.replicas.count, 1_000)
    const { timeoutMs } = resolved.replicas
    wholeNumber('replicas.timeoutMs', timeoutMs, LONGEST_TIMEOUT_MS)
    const most = Math.floor(resolved.commandTimeoutMs / 2)
    if (timeoutMs > most) {
      throw new OptionsError(
        'redisStore(): `replicas.timeoutMs` must not be more than half of `commandTimeoutMs`, because ' +
          `while a replica is missing every other command waits for so long: write at most ${most}, or a ` +
          `\`commandTimeoutMs\` of at least ${2 * timeoutMs}.`,
      )
    }
  }
  if (resolved.whenEvicting !== 'refuse' && resolved.whenEvicting !== 'warn') {
    throw new OptionsError(
      `redisStore(): \`whenEvicting\` is 'refuse' or 'warn', not ${JSON.stringify(resolved.whenEvicting)}.`,
    )
  }
  return resolved
}

function wholeNumber(option: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return
  throw new OptionsError(
    `redisStore(): \`${option}\` must be a whole number from 1 to ${most}, not ${value}.`,
  )
}

/**
 * Half of the longest time that `setTimeout` supports (2^31 - 1 ms; beyond that it fires at once),
 * because two of these times are added up.
 */
const LONGEST_TIMEOUT_MS = 2 ** 30 - 1

/**
 * A hundred years: if this is added to the server's clock, the sum is still an expiry that Redis
 * accepts.
 */
const LONGEST_RETENTION_MS = 100 * 365 * 24 * 60 * 60 * 1000
