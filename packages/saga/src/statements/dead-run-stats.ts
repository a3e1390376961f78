import { LETTERS_LOOKED_AT } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { IS_DEAD } from './dead-runs.ts'

/** Groups the newest dead runs by saga and kind of error, the largest group first. */
export function deadRunGroups(schema: string): () => Statement<{ dead_group: string }> {
  const at = (column: string) => `floor(extract(epoch from ${column}) * 1000)`
  const text = `
    with groups as (
      select d.saga, d.stuck->>'fingerprint' as fingerprint, count(*) as count,
          min(d.stuck_at) as oldest, max(d.stuck_at) as newest, min(d.id) as sample
        from (
          select r.saga, r.stuck, r.stuck_at, r.id from ${schema}.saga_runs r where ${IS_DEAD}
            order by r.stuck_at desc, r.id desc limit ${LETTERS_LOOKED_AT}
        ) d
        group by d.saga, d.stuck->>'fingerprint'
    ), largest as (
      select * from groups g order by g.count desc, g.saga limit 100
    )
    select json_build_object('saga', g.saga, 'fingerprint', g.fingerprint, 'count', g.count,
        'oldest_at', ${at('g.oldest')}, 'newest_at', ${at('g.newest')}, 'sample', g.sample,
        'name', s.stuck->'error'->>'name', 'message', s.stuck->'error'->>'message')::text
          as dead_group
      from largest g join ${schema}.saga_runs s on s.id = g.sample
      order by g.count desc, g.saga`
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
