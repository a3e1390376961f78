import { OptionsError } from '@oncekey/core'
import { wholeNumber } from '@oncekey/core/options'
import { type PostgresClient, sqlClientOf } from '../../bridges/postgres-client.ts'
import { quotedSchema } from '../../sql/schema-name.ts'
import type { Isolation, SqlClient } from '../../sql/sql-client.ts'

export interface PostgresStoreOptions<Tx> {
  /**
   * A Pool of `pg`, or another client wrapped by a bridge. It stays yours: the store never ends it,
   * and you have to listen for the 'error' events of a Pool (most libraries behind a bridge do that
   * themselves).
   */
  readonly client: PostgresClient<Tx>

  /**
   * How an attempt owns its key. `transaction`: the handler's writes, the response and the events
   * are one transaction, and a process that dies leaves nothing behind. `lease`, for handlers that
   * call other systems: the claim is committed before the handler runs, and no connection is held
   * until the handler calls `transaction()`. If such an attempt ends without an outcome, the
   * outcome is unknown, and `whenUnknown` decides what a retry gets. @default 'transaction'
   */
  readonly mode?: 'transaction' | 'lease'

  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string

  /**
   * The isolation level of the handler's transaction. Above 'read committed' every first claim of a
   * key takes one more statement on a second connection, because the transaction's own snapshot is
   * older than the key's lock. @default 'read committed'
   */
  readonly isolation?: Isolation

  /**
   * How many requests may hold a connection of the pool at once; half of these may wait for a
   * result (`waitMs`) of another process. The rest of the pool is for replays and for queries
   * outside the transaction. In lease mode this counts handlers that opened their transaction; one
   * more connection is reserved for renewing leases. @default half of the pool, at least 1
   */
  readonly maxConcurrent?: number

  /**
   * How long a request waits for its turn, and then for a connection, before it gets 503.
   * Milliseconds. @default 5000
   */
  readonly acquireTimeoutMs?: number

  /**
   * How long COMMIT may take before its outcome counts as unknown: the connection is dropped and
   * the request gets 503. Milliseconds. @default 30000
   */
  readonly commitTimeoutMs?: number

  /**
   * Whether statements are parsed once per connection, under a name, instead of each time. Values
   * are bound either way, and the number of round trips is the same. Leave it off behind a pooler
   * in transaction mode, unless it tracks prepared statements (PgBouncer's
   * `max_prepared_statements`). @default false
   */
  readonly prepare?: boolean
}

export interface ResolvedOptions<Tx> {
  readonly client: SqlClient<Tx>
  readonly mode: 'transaction' | 'lease'
  readonly schema: string
  /** Quoted for SQL. */
  readonly quotedSchema: string
  readonly isolation: Isolation
  readonly maxConcurrent: number
  readonly acquireTimeoutMs: number
  readonly commitTimeoutMs: number
}

export function resolveOptions<Tx>(options: PostgresStoreOptions<Tx>): ResolvedOptions<Tx> {
  const schema = options.schema ?? 'oncekey'
  const isolation = options.isolation ?? 'read committed'
  if (!ISOLATIONS.includes(isolation)) {
    throw new OptionsError(
      `isolation: ${JSON.stringify(isolation)} is none. Write 'read committed', 'repeatable read' ` +
        "or 'serializable'.",
    )
  }
  const mode = options.mode ?? 'transaction'
  if (mode !== 'transaction' && mode !== 'lease') {
    throw new OptionsError(`mode: ${JSON.stringify(mode)} is none. Write 'transaction' or 'lease'.`)
  }
  const client = sqlClientOf(options.client, { prepare: options.prepare ?? false })
  const half = Math.max(1, Math.floor(client.poolSize / 2))
  const maxConcurrent = wholeNumber('maxConcurrent', options.maxConcurrent ?? half, 1)
  if (mode === 'lease') checkLeases(client, maxConcurrent)
  if (maxConcurrent > client.poolSize) {
    throw new OptionsError(
      `maxConcurrent: ${maxConcurrent} requests cannot hold a connection each, the pool has ` +
        `${client.poolSize}. Raise the pool's \`max\`, or write ${half}.`,
    )
  }
  if (isolation !== 'read committed' && client.concurrency === 'many') {
    checkFreshLooks(isolation, client, maxConcurrent)
  }
  return {
    client,
    mode,
    schema,
    quotedSchema: quotedSchema(schema),
    isolation,
    maxConcurrent,
    acquireTimeoutMs: wholeNumber('acquireTimeoutMs', options.acquireTimeoutMs ?? 5_000, 1),
    commitTimeoutMs: wholeNumber('commitTimeoutMs', options.commitTimeoutMs ?? 30_000, 1),
  }
}

/**
 * Throws if the pool is too small: besides the handlers' transactions, one connection is needed for
 * renewals and one for claims.
 */
function checkLeases(
  { concurrency, poolSize }: Pick<SqlClient, 'concurrency' | 'poolSize'>,
  maxConcurrent: number,
): void {
  if (concurrency === 'one') {
    throw new OptionsError(
      "mode: 'lease' cannot work on a client with a single session, such as PGlite: nobody could " +
        'renew a lease, or see one, while a handler has its transaction. Leave `mode` out, or use a server.',
    )
  }
  if (poolSize < 3) {
    throw new OptionsError(
      `mode: 'lease' needs a pool of at least 3 connections, and this has ${poolSize}: one renews the ` +
        'leases, one claims and completes, the others are for `transaction()`. Write `max: 3` or more.',
    )
  }
  if (maxConcurrent > poolSize - 2) {
    throw new OptionsError(
      `maxConcurrent: with mode: 'lease' two of the pool's ${poolSize} connections are for claims and ` +
        `renewals. Write ${poolSize - 2} at most, or raise the pool's \`max\`.`,
    )
  }
}

/**
 * Throws if the pool is too small: besides the handlers' transactions, a connection is needed to
 * read records that are newer than the transactions' snapshots.
 */
function checkFreshLooks(
  isolation: Isolation,
  { poolSize }: Pick<SqlClient, 'poolSize'>,
  maxConcurrent: number,
): void {
  if (maxConcurrent < poolSize) return
  throw new OptionsError(
    `isolation: '${isolation}' needs a connection beside those of the running requests, to look for a ` +
      `record in a snapshot of its own. Write \`max: ${maxConcurrent + 1}\` for the pool, or a ` +
      '`maxConcurrent` below its size.',
  )
}

const ISOLATIONS: readonly Isolation[] = ['read committed', 'repeatable read', 'serializable']
