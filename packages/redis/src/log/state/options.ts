import { LONGEST_TIMER_MS, OptionsError, wholeMs } from '@oncekey/core'
import { type AnyRedisClient, checkedClient } from '../../client/checked-client.ts'
import type { RedisClient } from '../../client/redis-client.ts'

/** Options of `redisLog`. */
export interface RedisLogOptions {
  /**
   * A client of any library that `redisStore` takes. It may be the store's. You connect and close
   * it.
   */
  readonly client: AnyRedisClient
  /**
   * How long Redis may take to reply to one command, reconnecting included. Milliseconds. @default
   * 5_000
   */
  readonly commandTimeoutMs?: number
  /**
   * The least time for which events are kept after every consumer has passed them, so that a
   * consumer that is added later can read them. Milliseconds. @default 86_400_000 (24 h)
   */
  readonly retentionMs?: number
  /**
   * How long the log remembers which events a consumer has emitted while it handled an event.
   * Choose it longer than the time after which that event can still be delivered again, which is
   * longer than a pause of the consumer, and at least as long as `abandonedAfterMs`: whoever comes
   * in the place of a relay that died gets events again after that time. Milliseconds. @default
   * 604_800_000 (7 d), or `abandonedAfterMs` if that is more
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
   * After how long such a consumer no longer keeps events from being deleted, once `maintain` has
   * found that twice, `missingAfterMs` apart: after the clock was put ahead, every consumer looks
   * like that at first. If it comes back, it continues with the events that are left.
   * Milliseconds. @default 604_800_000 (7 d)
   */
  readonly abandonedAfterMs?: number
}

/** Options after construction: nothing optional is left to decide. */
export interface ResolvedLogOptions extends Required<Omit<RedisLogOptions, 'client'>> {
  readonly client: RedisClient
}

/** Validates and completes options, once. Throws {@link OptionsError}. */
export function resolveLogOptions(options: RedisLogOptions): ResolvedLogOptions {
  const client = checkedClient(options?.client, 'redisLog')
  const abandonedAfterMs = whole('abandonedAfterMs', options.abandonedAfterMs ?? 7 * DAY_MS, 1)
  const emittedRetentionMs = whole(
    'emittedRetentionMs',
    options.emittedRetentionMs ?? Math.max(7 * DAY_MS, abandonedAfterMs),
    1,
  )
  if (emittedRetentionMs < abandonedAfterMs) {
    throw new OptionsError(
      `redisLog(): \`emittedRetentionMs\` must not be shorter than \`abandonedAfterMs\`, for which events ` +
        'wait for a consumer without a relay, or it emits a second time what it had emitted for them: ' +
        `write at least ${abandonedAfterMs}.`,
    )
  }
  const resolved: ResolvedLogOptions = {
    client,
    commandTimeoutMs: whole(
      'commandTimeoutMs',
      options.commandTimeoutMs ?? 5_000,
      1,
      LONGEST_TIMER_MS,
    ),
    retentionMs: whole('retentionMs', options.retentionMs ?? DAY_MS, 0),
    emittedRetentionMs,
    resolvedRetentionMs: whole(
      'resolvedRetentionMs',
      options.resolvedRetentionMs ?? 30 * DAY_MS,
      0,
    ),
    missingAfterMs: whole('missingAfterMs', options.missingAfterMs ?? 3_600_000, 1),
    abandonedAfterMs,
  }
  return resolved
}

function whole(option: string, value: number, least: number, most?: number): number {
  return wholeMs(`redisLog(): \`${option}\``, value, least, most)
}

const DAY_MS = 86_400_000
