import type { Statement } from './sql-client.ts'

/**
 * A purge of rows that are older than a retention, in one statement: it locks at most `limit` of them,
 * passes over those that somebody else has locked, and answers how many it took. Of the two parameters,
 * $1 is the retention in milliseconds. `due` selects the `ctid` of the rows; `lock` names what it locks,
 * where `due` reads more than one table; `act` deletes or empties the rows of its table.
 */
export function purgeBatch(
  name: string,
  { due, act, lock }: { readonly due: string; readonly act: string; readonly lock?: string },
): (retentionMs: number, limit: number) => Statement<{ count: string }> {
  const text = `
      with due as materialized (
        ${due}
          limit $2::integer
          for update ${lock === undefined ? '' : `of ${lock} `}skip locked
      ), purged as (
        ${act}
          where ctid = any(array(select ctid from due))
          returning 1
      )
      select count(*)::text as count from purged`
  return (retentionMs, limit) => ({ name, text, values: [retentionMs, limit] })
}

/** How long ago $1 is, as an instant of the transaction's clock. */
export const RETENTION_AGO = "now() - $1::bigint * interval '1 millisecond'"
