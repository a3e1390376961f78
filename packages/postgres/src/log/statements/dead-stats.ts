import type { Statement } from '../../sql-client.ts'

/** Depth, age and rates, in one row; each counted up to 100,000, so that it ends in time. */
export function deadStats(schema: string): Statement<DeadStatsRow> {
  return {
    name: 'dead_stats',
    text: `
      select
        (select count(*) from (select from ${schema}.deliveries d
          where d.state = 'dead' limit 100000) c)::text as depth,
        (select (extract(epoch from clock_timestamp() - min(d.dead_at)) * 1000)::bigint
          from ${schema}.deliveries d where d.state = 'dead')::text as oldest_age_ms,
        (select count(*) from (select from ${schema}.deliveries d
          where d.dead_at > clock_timestamp() - interval '1 hour' limit 100000) c)::text as arrived,
        (select count(*) from (select from ${schema}.deliveries d
          where d.state = 'resolved'
            and d.resolved_at > clock_timestamp() - interval '1 hour' limit 100000) c)::text as drained`,
    values: [],
  }
}

export interface DeadStatsRow {
  readonly depth: string
  readonly oldest_age_ms: string | null
  /** In the last hour. */
  readonly arrived: string
  readonly drained: string
}
