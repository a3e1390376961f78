import { OptionsError, wholeMs } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import type { Statement } from '@oncekey/postgres/client'
import type { ResolvedOptions } from '../options/options.ts'
import {
  endDeliveries,
  expireDeliveries,
  purgeDeadLetters,
  purgeDeliveries,
  purgeEndpoints,
  purgeMessages,
  purgeSecrets,
} from '../statements/purge.ts'
import { firstAtReadCommitted, firstRow } from '../statements/run-statement.ts'

export interface PurgeWebhooksOptions {
  /** How many rows of each kind one call removes at most. @default 1000 */
  readonly limit?: number
  /**
   * How long deliveries are kept after they were delivered, discarded or ended. Milliseconds.
   *
   * @default 604_800_000, seven days
   */
  readonly retentionMs?: number
  /** How long dead letters are kept. Milliseconds. @default 2_592_000_000, thirty days */
  readonly deadRetentionMs?: number
  /**
   * The age at which pending deliveries of a disabled endpoint are ended, if the endpoint was not
   * changed within that time either. Milliseconds.
   *
   * @default 2_592_000_000, thirty days
   */
  readonly disabledRetentionMs?: number
  /**
   * For how long a message marks its event as fanned out after its deliveries are gone. Choose it
   * longer than the time after which the log can still deliver the event again. Milliseconds.
   * @default 2_592_000_000, thirty days
   */
  readonly messageRetentionMs?: number
}

/** How much one call of `purge` removed. */
export interface PurgedWebhooks {
  /** Deliveries that were removed, dead letters included. */
  readonly deliveries: number
  /** Deliveries that were ended because their endpoint was deleted, or disabled for too long. */
  readonly ended: number
  readonly messages: number
  readonly endpoints: number
  /** Whether there may be more, because the call stopped at `limit`. */
  readonly more: boolean
}

/**
 * Removes what is past its retention, in small batches that wait for no lock. It can run while the
 * tables are in use.
 */
export async function purgeWebhooks(
  resolved: ResolvedOptions,
  options: PurgeWebhooksOptions = {},
): Promise<PurgedWebhooks> {
  const { schema } = resolved
  const limit = wholeNumber('limit', options.limit ?? 1_000, 1)
  const retentionMs = span('retentionMs', options.retentionMs ?? 7 * DAY_MS)
  const deadRetentionMs = span('deadRetentionMs', options.deadRetentionMs ?? 30 * DAY_MS)
  const disabledMs = span('disabledRetentionMs', options.disabledRetentionMs ?? 30 * DAY_MS)
  const messageMs = span(
    'messageRetentionMs',
    options.messageRetentionMs ?? Math.max(30 * DAY_MS, retentionMs),
  )
  if (messageMs < retentionMs) {
    throw new OptionsError(
      `messageRetentionMs: write at least retentionMs, ${retentionMs}: a message outlives its deliveries.`,
    )
  }
  const counts = {
    secrets: await counted(purgeSecrets(schema, limit)),
    orphans: await counted(endDeliveries(schema, null, limit)),
    expired: await counted(expireDeliveries(schema, disabledMs, limit)),
    deliveries: await counted(purgeDeliveries(schema, retentionMs, limit)),
    dead: await counted(purgeDeadLetters(schema, deadRetentionMs, limit)),
    messages: await messages(),
    endpoints: await counted(purgeEndpoints(schema, retentionMs, limit)),
  }
  return {
    deliveries: counts.deliveries + counts.dead,
    ended: counts.orphans + counts.expired,
    messages: counts.messages.deleted,
    endpoints: counts.endpoints,
    more: Object.values({ ...counts, messages: counts.messages.chosen }).includes(limit),
  }

  /** A message that is replayed after it was chosen stays, and counts for the limit. */
  async function messages(): Promise<{ readonly deleted: number; readonly chosen: number }> {
    const row = await firstAtReadCommitted(resolved, purgeMessages(schema, messageMs, limit))
    return { deleted: Number(row?.count), chosen: Number(row?.chosen) }
  }

  async function counted(statement: Statement<{ count: string }>): Promise<number> {
    return Number((await firstRow(resolved, statement))?.count)
  }
}

function span(name: string, ms: number): number {
  return wholeMs(name, ms, 0)
}

const DAY_MS = 86_400_000
