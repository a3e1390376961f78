import type { Statement } from '@oncekey/postgres/client'

/** Dead runs by saga and kind of error, the largest group first. */
export function deadRunGroups(schema: string): () => Statement<{ dead_group: string }> {
  const at = (column: string) => `floor(extract(epoch from ${column}) * 1000)`
  const text = `
    select json_build_object('saga', r.saga, 'fingerprint', r.stuck->>'fingerprint',
        'count', count(*), 'oldest_at', ${at('min(r.stuck_at)')},
        'newest_at', ${at('max(r.stuck_at)')}, 'sample', min(r.id),
        'name', min(r.stuck->'error'->>'name'),
        'message', min(r.stuck->'error'->>'message'))::text as dead_group
      from ${schema}.saga_runs r
      where r.state in ('stuck', 'compensation-failed')
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
 * The number of dead runs, their age, and how many became dead or were resolved in the last hour.
 */
export function deadRunStats(schema: string): () => Statement<{ stats: string }> {
  const text = `
    select json_build_object(
        'depth', count(*) filter (where r.stuck_at is not null),
        'oldest_age_ms', floor(extract(epoch from clock_timestamp() - min(r.stuck_at)) * 1000),
        'arrived', count(*) filter (where r.stuck_at > now() - interval '1 hour'),
        'drained', count(*) filter (where r.resumed_at > now() - interval '1 hour'
          or r.state = 'settled' and r.ended_at > now() - interval '1 hour'))::text as stats
      from ${schema}.saga_runs r
      where r.state in ('stuck', 'compensation-failed')
        or r.resumed_at > now() - interval '1 hour'
        or r.state = 'settled' and r.ended_at > now() - interval '1 hour'`
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
