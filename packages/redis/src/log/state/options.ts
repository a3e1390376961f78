import { LONGEST_TIMER_MS, wholeMs } from '@oncekey/core'
import { checkedIoredis } from '../../client/checked-client.ts'
import type { RedisClient } from '../../client/redis-client.ts'

/** Options of `redisLog`. */
export interface RedisLogOptions {
  /**
   * An ioredis `Redis` or `Cluster`, 5 or 6: the store's or another one. You connect and close it.
   */
  readonly client: RedisClient
  /**
   * How long Redis may take to answer one command, reconnecting included. Milliseconds. @default
   * 5_000
   */
  readonly commandTimeoutMs?: number
  /**
   * How long events are kept at least after every consumer has passed them, for consumers that are
   * added later. Milliseconds. @default 86_400_000 (24 h)
   */
  readonly retentionMs?: number
  /**
   * How long the log remembers that a consumer has emitted for an event: longer than the event can
   * be delivered again. Milliseconds. @default 604_800_000 (7 d)
   */
  readonly emittedRetentionMs?: number
  /**
   * How long a resolved dead letter can still be read. Milliseconds. @default 2_592_000_000 (30 d)
   */
  readonly resolvedRetentionMs?: number
  /**
   * After how long a consumer that no relay runs is reported as missing. Milliseconds. @default
   * 3_600_000 (1 h)
   */
  readonly missingAfterMs?: number
  /**
   * After how long such a consumer no longer holds events back. `maintain` has to find it so twice,
   * `missingAfterMs` apart: once the clock was put ahead, everything looks like that at first. If
   * it comes back, it continues with what is left. Milliseconds. @default 604_800_000 (7 d)
   */
  readonly abandonedAfterMs?: number
}

/** Options after construction: nothing optional is left to decide. */
export type ResolvedLogOptions = Required<RedisLogOptions>

/** Validates and completes options, once. Throws {@link OptionsError}. */
export function resolveLogOptions(options: RedisLogOptions): ResolvedLogOptions {
  const resolved: ResolvedLogOptions = {
    client: checkedIoredis(options?.client, 'redisLog'),
    commandTimeoutMs: whole(
      'commandTimeoutMs',
      options.commandTimeoutMs ?? 5_000,
      1,
      LONGEST_TIMER_MS,
    ),
    retentionMs: whole('retentionMs', options.retentionMs ?? DAY_MS, 0),
    emittedRetentionMs: whole('emittedRetentionMs', options.emittedRetentionMs ?? 7 * DAY_MS, 1),
    resolvedRetentionMs: whole(
      'resolvedRetentionMs',
      options.resolvedRetentionMs ?? 30 * DAY_MS,
      0,
    ),
    missingAfterMs: whole('missingAfterMs', options.missingAfterMs ?? 3_600_000, 1),
    abandonedAfterMs: whole('abandonedAfterMs', options.abandonedAfterMs ?? 7 * DAY_MS, 1),
  }
  return resolved
}

function whole(option: string, value: number, least: number, most?: number): number {
  return wholeMs(`redisLog(): \`${option}\``, value, least, most)
}

const DAY_MS = 86_400_000
