import type { SqlValue, Statement } from './sql-client.ts'

/** The SQL of a batch: which rows it selects and locks, and what it does with them. */
interface Batch {
  /** Selects the rows that are due, in the order in which they are to be taken. */
  readonly due: string
  /** The alias of the table whose rows are locked, if `due` reads more than one table. */
  readonly lock?: string
  /** Changes or deletes the rows of `due`, and returns one row for each. */
  readonly taken: string
}

/**
 * One statement that takes at most $2 due rows, skips rows that somebody else has locked, and
 * counts those it took. The rows are locked in a materialized CTE, because a plain subquery could
 * run several times and lock more rows than its limit.
 */
export function inBatch(
  name: string,
  values: readonly SqlValue[],
  { due, lock, taken }: Batch,
): Statement<{ count: string }> {
  const text = `
      with due as materialized (
        ${due}
          limit $2::integer
          for update ${lock === undefined ? '' : `of ${lock} `}skip locked
      ), taken as (
        ${taken}
      )
      select count(*)::text as count from taken`
  return { name, text, values }
}

/**
 * A batch of rows older than a retention, which is $1 in milliseconds. `due` selects the `ctid` of
 * the rows; `act` deletes or empties the rows of its table.
 */
export function purgeBatch(
  name: string,
  { due, act, lock }: { readonly due: string; readonly act: string; readonly lock?: string },
): (retentionMs: number, limit: number) => Statement<{ count: string }> {
  const taken = `${act}
          where ctid = any(array(select ctid from due))
          returning 1`
  const batch = lock === undefined ? { due, taken } : { due, taken, lock }
  const { text } = inBatch(name, [], batch)
  return (retentionMs, limit) => ({ name, text, values: [retentionMs, limit] })
}

/** The instant $1 milliseconds ago, by the transaction's clock. */
export const RETENTION_AGO = "now() - $1::bigint * interval '1 millisecond'"
