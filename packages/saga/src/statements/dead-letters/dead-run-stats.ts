import type { Statement } from '@oncekey/postgres/client'

/** Depth, age and rates of dead runs. */
export function deadRunStatsStatement(schema: string): () => Statement<{ stats: string }> {
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

/** What `stats` is, in JSON. */
export interface DeadRunStatsJson {
  readonly depth: number
  readonly oldest_age_ms: number | null
  /** In the last hour, of those that are still dead. */
  readonly arrived: number
  readonly drained: number
}
