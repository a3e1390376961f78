import { LETTERS_LOOKED_AT } from '@oncekey/core'
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
          from (
            select d.endpoint_id, d.error, d.died_at, d.id
              from ${schema}.webhook_deliveries d where d.state = 'dead'
              order by d.died_at desc, d.id desc limit ${LETTERS_LOOKED_AT}
          ) d
          group by d.endpoint_id, d.error
      ), largest as (
        select g.*, a.message from groups g left join lateral (
            select a.message from ${schema}.webhook_attempts a
              where a.delivery_id = g.sample order by a.number desc limit 1
          ) a on true
          order by g.count desc, g.oldest limit 100
      )
      select json_build_object(
          'depth', (select count(*) from (
            select from ${schema}.webhook_deliveries d where d.state = 'dead' limit 100000) c),
          'oldestAgeMs', (
            select extract(epoch from now() - d.died_at) * 1000
              from ${schema}.webhook_deliveries d where d.state = 'dead'
              order by d.died_at, d.id limit 1
          ),
          'arrived', (select count(*) from (
            select from ${schema}.webhook_deliveries d
              where d.state = 'dead' and d.died_at > now() - interval '1 hour' limit 100000) c
          ) + (select count(*) from (
            select from ${schema}.webhook_deliveries d
              where d.resolved_at > now() - interval '1 hour'
                and d.died_at > now() - interval '1 hour' and d.state <> 'dead' limit 100000) c
          ),
          'drained', (select count(*) from (
            select from ${schema}.webhook_deliveries d
              where d.resolved_at > now() - interval '1 hour' limit 100000) c
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
