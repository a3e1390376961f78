import { purgeBatch, RETENTION_AGO } from '../../sql/purge-batch.ts'
import type { Statement } from '../../sql/sql-client.ts'

type Purge = (retentionMs: number, limit: number) => Statement<{ count: string }>

/** Drops the bytes of responses past their time; the keys stay. */
export function purgeResults(schema: string): Purge {
  return purgeBatch('purge_results', {
    due: `select ctid from ${schema}.records
          where body is not null and completed_at <= ${RETENTION_AGO}
          order by completed_at`,
    act: `update ${schema}.records set body = null, headers = null, seal = null, token = null`,
  })
}

/** Forgets keys past their time whose response has been dropped. */
export function purgeKeys(schema: string): Purge {
  return purgeBatch('purge_keys', {
    due: `select ctid from ${schema}.records
          where body is null and completed_at <= ${RETENTION_AGO}
          order by completed_at`,
    act: `delete from ${schema}.records`,
  })
}

/** Forgets keys of lease mode, past their time, whose attempts ended with an unknown outcome. */
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

/** Forgets leases that no attempt needs any more: a process that dies leaves them behind. */
export function purgeLeases(schema: string): Purge {
  return purgeBatch('purge_leases', {
    due: `select ctid from ${schema}.leases
          where renewed_first_at <= ${RETENTION_AGO}
            and (until is null or until <= ${RETENTION_AGO})
          order by renewed_first_at`,
    act: `delete from ${schema}.leases`,
  })
}
