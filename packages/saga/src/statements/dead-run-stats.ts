import type { Statement } from '@oncekey/postgres/client'
import { IS_DEAD } from './dead-runs.ts'

/** The newest 10,000 dead runs by saga and kind of error, the largest group first. */
export function deadRunGroups(schema: string): () => Statement<{ dead_group: string }> {
  const at = (column: string) => `floor(extract(epoch from ${column}) * 1000)`
  const text = `
    select json_build_object('saga', r.saga, 'fingerprint', r.stuck->>'fingerprint',
        'count', count(*), 'oldest_at', ${at('min(r.stuck_at)')},
        'newest_at', ${at('max(r.stuck_at)')}, 'sample', min(r.id),
        'name', min(r.stuck->'error'->>'name'),
        'message', min(r.stuck->'error'->>'message'))::text as dead_group
      from (
        select * from ${schema}.saga_runs r where ${IS_DEAD}
          order by r.stuck_at desc, r.id desc limit 10000
      ) r
      group by r.saga, r.stuck->>'fingerprint'
      order by count(*) desc, r.saga
      limit 100`
  return () => ({ name: 'saga_dead_run_groups', text, values: [], cancellable: true })
}

/** The JSON in `dead_group`. */
export interface DeadRunGroupJson {
  readonly saga: string
  readonly fingerprint: string
  readonly count: number
  readonly oldest_at: number
  readonly newest_at: number
  readonly sample: string
  readonly name: string
  readonly message: string
}

/**
 * The number of dead runs up to 100,000, their age, and how many became dead or were resolved in
 * the last hour. Resolved ones are counted among the 5,000 newest that are open, and the 5,000
 * that ended last.
 */
export function deadRunStats(schema: string): () => Statement<{ stats: string }> {
  const counted = (condition: string) => `(select count(*) from (
          select from ${schema}.saga_runs r where ${condition} limit 100000) c)`
  const newest = (isKnown: string, time: string) => `(
          select * from ${schema}.saga_runs r where ${isKnown}
            order by r.${time} desc limit 5000
        ) r`
  const text = `
    select json_build_object(
        'depth', ${counted(IS_DEAD)},
        'oldest_age_ms', (
          select floor(extract(epoch from clock_timestamp() - r.stuck_at) * 1000)
            from ${schema}.saga_runs r where ${IS_DEAD}
            order by r.stuck_at, r.id limit 1
        ),
        'arrived', ${counted(`${IS_DEAD} and r.stuck_at > now() - interval '1 hour'`)},
        'drained', (
          select count(*) from ${newest('r.ended_at is null', 'started_at')}
            where r.resumed_at > now() - interval '1 hour'
        ) + (
          select count(*) from ${newest("r.ended_at > now() - interval '1 hour'", 'ended_at')}
            where r.state = 'settled' or r.resumed_at > now() - interval '1 hour'
        ))::text as stats`
  return () => ({ name: 'saga_dead_run_stats', text, values: [], cancellable: true })
}

/** The JSON in `stats`. */
export interface DeadRunStatsJson {
  readonly depth: number
  readonly oldest_age_ms: number | null
  /** How many became dead in the last hour and still are. */
  readonly arrived: number
  readonly drained: number
}
