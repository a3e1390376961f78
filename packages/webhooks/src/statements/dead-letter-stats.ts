import type { Statement } from '@oncekey/postgres/client'

/**
 * Counts dead letters: how many there are, how many became dead or were resolved in the last hour,
 * and for what reasons.
 */
export function deadLetterStats(schema: string): Statement<{ stats: string }> {
  return {
    name: 'dead_letter_stats',
    text: `
      with groups as (
        select d.endpoint_id, d.error, count(*) as count, min(d.died_at) as oldest,
            max(d.died_at) as newest, max(d.id) as sample
          from ${schema}.webhook_deliveries d where d.state = 'dead'
          group by d.endpoint_id, d.error
      ), largest as (
        select g.*, a.message from groups g left join lateral (
            select a.message from ${schema}.webhook_attempts a
              where a.delivery_id = g.sample order by a.number desc limit 1
          ) a on true
          order by g.count desc, g.oldest limit 100
      )
      select json_build_object(
          'depth', (select coalesce(sum(count), 0) from groups),
          'oldestAgeMs', (select extract(epoch from now() - min(oldest)) * 1000 from groups),
          'arrived', (
            select count(*) from ${schema}.webhook_deliveries d
              where d.state = 'dead' and d.died_at > now() - interval '1 hour'
          ) + (
            select count(*) from ${schema}.webhook_deliveries d
              where d.resolved_at > now() - interval '1 hour'
                and d.died_at > now() - interval '1 hour' and d.state <> 'dead'
          ),
          'drained', (
            select count(*) from ${schema}.webhook_deliveries d
              where d.resolved_at > now() - interval '1 hour'
          ),
          'groups', coalesce((
            select json_agg(json_build_object('origin', endpoint_id, 'fingerprint', error,
                'count', count, 'oldestAt', oldest, 'newestAt', newest, 'sample', sample::text,
                'message', message))
              from largest
          ), '[]'::json))::text as stats`,
    values: [],
    cancellable: true,
  }
}

/** The JSON in `stats`. */
export interface StatsJson {
  readonly depth: number
  readonly oldestAgeMs: number | null
  readonly arrived: number
  readonly drained: number
  readonly groups: readonly {
    readonly origin: string
    readonly fingerprint: string
    readonly count: number
    readonly oldestAt: string
    readonly newestAt: string
    readonly sample: string
    readonly message: string | null
  }[]
}
