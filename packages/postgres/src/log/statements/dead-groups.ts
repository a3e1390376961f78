import type { Statement } from '../../sql-client.ts'
import { milliseconds } from './delivery-columns.ts'

/** The newest 10,000 dead letters by consumer and kind of error, the largest group first. */
export function deadGroups(schema: string): Statement<DeadGroupRow> {
  return {
    name: 'dead_groups',
    text: `
      select d.consumer, coalesce(d.fingerprint, '') as fingerprint, count(*)::text as count,
          ${milliseconds('min(d.dead_at)')} as oldest_at, ${milliseconds('max(d.dead_at)')} as newest_at,
          max(d.id)::text as sample,
          (array_agg(d.error_name order by d.id desc))[1] as name,
          (array_agg(d.error_message order by d.id desc))[1] as message
        from (
          select * from ${schema}.deliveries n where n.state = 'dead'
            order by n.dead_at desc, n.id desc limit 10000
        ) d
        group by d.consumer, d.fingerprint
        order by count(*) desc, d.consumer
        limit 100`,
    values: [],
  }
}

export interface DeadGroupRow {
  readonly consumer: string
  readonly fingerprint: string
  readonly count: string
  readonly oldest_at: string
  readonly newest_at: string
  readonly sample: string
  readonly name: string | null
  readonly message: string | null
}
