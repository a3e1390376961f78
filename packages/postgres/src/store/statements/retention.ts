import { purgeBatch, RETENTION_AGO } from '../../sql/purge-batch.ts'
import type { Statement } from '../../sql/sql-client.ts'

type Purge = (retentionMs: number, limit: number) => Statement<{ count: string }>

/**
 * Empties responses that are past their retention; the keys stay, and the tokens by which late
 * completions are recognised.
 */
export function purgeResults(schema: string): Purge {
  return purgeBatch('purge_results', {
    due: `select ctid from ${schema}.records
          where body is not null and completed_at <= ${RETENTION_AGO}
          order by completed_at`,
    act: `update ${schema}.records set body = null, headers = null, seal = null`,
  })
}

/** Deletes keys that are past their retention and whose responses have been emptied. */
export function purgeKeys(schema: string): Purge {
  return purgeBatch('purge_keys', {
    due: `select ctid from ${schema}.records
          where body is null and completed_at <= ${RETENTION_AGO}
          order by completed_at`,
    act: `delete from ${schema}.records`,
  })
}

/** Deletes attempts of lease mode with an unknown outcome that are past the retention of keys. */
export function purgeAttempts(schema: string): Purge {
  return purgeBatch('purge_attempts', {
    due: `select a.ctid from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.claimed_at <= ${RETENTION_AGO}
            and coalesce(l.until, a.until) <= ${RETENTION_AGO}
          order by a.claimed_at`,
    act: `delete from ${schema}.attempts`,
    lock: 'a',
  })
}

/** Deletes leases that no attempt needs any longer: a process that dies leaves them behind. */
export function purgeLeases(schema: string): Purge {
  return purgeBatch('purge_leases', {
    due: `select ctid from ${schema}.leases
          where renewed_first_at <= ${RETENTION_AGO}
            and (until is null or until <= ${RETENTION_AGO})
          order by renewed_first_at`,
    act: `delete from ${schema}.leases`,
  })
}
