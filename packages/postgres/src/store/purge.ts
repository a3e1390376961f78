import { OptionsError, wholeMs } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { atReadCommitted } from '../sql/read-committed.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import type { SqlClient, Statement } from '../sql/sql-client.ts'
import { storeError } from '../sql/store-error.ts'
import { purgeAttempts, purgeKeys, purgeLeases, purgeResults } from './statements/retention.ts'

export interface PurgeOptions {
  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string
  /** The most responses, and the most keys, that one call removes. @default 1000 */
  readonly limit?: number
  /**
   * How long a response can be replayed, from the end of the request by the database's clock; after
   * that the key gets 410. Milliseconds. @default 86400000, a day
   */
  readonly resultRetentionMs?: number
  /**
   * How long a key is remembered; after that it counts as never used. Attempts of lease mode with
   * an unknown outcome are remembered equally long, from the end of their lease. At least
   * `resultRetentionMs`. Milliseconds. @default 604800000, seven days
   */
  readonly keyRetentionMs?: number
}

/** What one call of `purge` removed. */
export interface Purged {
  readonly results: number
  readonly keys: number
  /** Whether there may be more, because it stopped at `limit`. */
  readonly more: boolean
}

/**
 * Removes what is past its retention: first the body of a response, later its key. It works in
 * small batches that neither wait for locks nor block others, and can be called by any number of
 * processes at once.
 *
 * @example
 * ```ts
 * setInterval(async () => {
 *   // The pause is for those who are served meanwhile: without one, batches keep a processor and the WAL busy.
 *   while ((await purge(pool)).more) await sleep(50)
 * }, 60_000)
 * ```
 */
export async function purge<Tx>(
  client: PostgresClient<Tx>,
  options: PurgeOptions = {},
): Promise<Purged> {
  const name = options.schema ?? 'oncekey'
  const schema = quotedSchema(name)
  const limit = wholeNumber('limit', options.limit ?? 1_000, 1, Number.MAX_SAFE_INTEGER)
  const resultRetentionMs = wholeMs('resultRetentionMs', options.resultRetentionMs ?? DAY_MS, 0)
  const keyRetentionMs = wholeMs(
    'keyRetentionMs',
    options.keyRetentionMs ?? Math.max(7 * DAY_MS, resultRetentionMs),
    0,
  )
  if (keyRetentionMs < resultRetentionMs) {
    throw new OptionsError(
      'keyRetentionMs: a key cannot be forgotten before its result. ' +
        `Write at least resultRetentionMs, ${resultRetentionMs}.`,
    )
  }

  const sql = atReadCommitted(sqlClientOf(client, { prepare: false }))
  try {
    const results = await counted(sql, purgeResults(schema)(resultRetentionMs, limit))
    const keys = await counted(sql, purgeKeys(schema)(keyRetentionMs, limit))
    const attempts = await counted(sql, purgeAttempts(schema)(keyRetentionMs, limit))
    // A lease is found by its attempt's token, so it is deleted only after the attempt is certainly
    // gone.
    const leases = await counted(sql, purgeLeases(schema)(keyRetentionMs + DAY_MS, limit))
    const more = [results, keys, attempts, leases].includes(limit)
    return { results, keys: keys + attempts, more }
  } catch (error) {
    throw storeError(error, name)
  }
}

async function counted(
  sql: SqlClient<unknown>,
  statement: Statement<{ count: string }>,
): Promise<number> {
  const [row] = await sql.query(statement, { timeoutMs: TIMEOUT_MS })
  return Number(row?.count)
}

const DAY_MS = 86_400_000
const TIMEOUT_MS = 60_000
