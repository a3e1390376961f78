import { OptionsError, wholeMs } from '@oncekey/core'
import { positive } from '@oncekey/core/options'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import type { SqlClient } from '../sql/sql-client.ts'

export interface PostgresLogOptions<Tx> {
  /**
   * A Pool of `pg`, or another client through a bridge. It may be the store's client. You close it.
   */
  readonly client: PostgresClient<Tx>

  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string

  /**
   * How many transactions of consumers may be open at once. The rest of the pool reads the log and
   * serves queries that consumers run beside their transactions. @default half of the pool, at
   * least 1
   */
  readonly maxTransactions?: number

  /**
   * How long a statement of the log may take, its wait for a connection included. Milliseconds.
   * @default 30000
   */
  readonly timeoutMs?: number

  /**
   * The least time for which events are kept after every consumer has passed them, so that a
   * consumer that is added later can read them. They are deleted by the day, so most are kept up to
   * a day longer. At most six days. Milliseconds. @default 86400000, a day
   */
  readonly retentionMs?: number

  /**
   * How long the inbox remembers what a consumer has taken in. Choose it longer than the time after
   * which a message of another queue can still be delivered again, and at least as long as
   * `abandonedAfterMs`. Events that are in the log, and those of dead letters, which a redrive may
   * deliver again, are remembered in any case. Milliseconds. @default 2592000000, thirty days, or
   * `abandonedAfterMs` if that is more
   */
  readonly inboxRetentionMs?: number

  /**
   * How long a resolved dead letter can still be read. Milliseconds. @default 2592000000, thirty
   * days
   */
  readonly resolvedRetentionMs?: number

  /**
   * After how long a consumer that no relay runs is reported as missing. Milliseconds. @default
   * 3600000, an hour
   */
  readonly missingAfterMs?: number

  /**
   * After this time, a consumer that no relay runs no longer keeps events from being deleted, once
   * `maintain` has found that twice, `missingAfterMs` apart: after the clock was put ahead, every
   * consumer looks like that at first. If it comes back, it continues with the events that are
   * left. Milliseconds. @default 604800000, seven days
   */
  readonly abandonedAfterMs?: number

  /**
   * Whether statements are prepared, by name, once per connection: see `postgresStore`. @default
   * false
   */
  readonly prepare?: boolean
}

export interface ResolvedLogOptions<Tx> {
  readonly client: SqlClient<Tx>
  readonly schemaName: string
  /** Quoted, for SQL. */
  readonly schema: string
  readonly maxTransactions: number
  readonly timeoutMs: number
  readonly retentionMs: number
  readonly inboxRetentionMs: number
  readonly resolvedRetentionMs: number
  readonly missingAfterMs: number
  readonly abandonedAfterMs: number
}

export function resolveLogOptions<Tx>(options: PostgresLogOptions<Tx>): ResolvedLogOptions<Tx> {
  const schemaName = options.schema ?? 'oncekey'
  const client = sqlClientOf(options.client, { prepare: options.prepare ?? false })
  const half = Math.max(1, Math.floor(client.poolSize / 2))
  const maxTransactions = positive('maxTransactions', options.maxTransactions ?? half)
  if (maxTransactions > client.poolSize) {
    throw new OptionsError(
      `maxTransactions: ${maxTransactions} consumers cannot hold a connection each, because the pool ` +
        `has ${client.poolSize}. Raise the pool's \`max\`, or write ${half}.`,
    )
  }
  const retentionMs = wholeMs('retentionMs', options.retentionMs ?? DAY_MS, 0)
  if (retentionMs > 6 * DAY_MS) {
    throw new OptionsError(
      `retentionMs: ${retentionMs} is more than the six days that the log has room for. To keep ` +
        'events for longer, write them elsewhere with a consumer.',
    )
  }
  const abandonedAfterMs = wholeMs('abandonedAfterMs', options.abandonedAfterMs ?? 7 * DAY_MS, 1)
  const inboxRetentionMs = wholeMs(
    'inboxRetentionMs',
    options.inboxRetentionMs ?? Math.max(30 * DAY_MS, abandonedAfterMs),
    0,
  )
  if (inboxRetentionMs < abandonedAfterMs) {
    throw new OptionsError(
      `inboxRetentionMs: ${inboxRetentionMs} is less than abandonedAfterMs, ${abandonedAfterMs}, for which ` +
        'events wait for a consumer without a relay: those that it had taken in before would take ' +
        `effect twice. Write at least ${abandonedAfterMs}, or a shorter abandonedAfterMs.`,
    )
  }
  return {
    client,
    schemaName,
    schema: quotedSchema(schemaName),
    maxTransactions,
    timeoutMs: wholeMs('timeoutMs', options.timeoutMs ?? 30_000, 1),
    retentionMs,
    inboxRetentionMs,
    resolvedRetentionMs: wholeMs(
      'resolvedRetentionMs',
      options.resolvedRetentionMs ?? 30 * DAY_MS,
      0,
    ),
    missingAfterMs: wholeMs('missingAfterMs', options.missingAfterMs ?? 3_600_000, 1),
    abandonedAfterMs,
  }
}

const DAY_MS = 86_400_000
