import type { Statement } from '../../sql/sql-client.ts'

/**
 * Repairs retries after the clock was put back. If the moment at which a retry was scheduled now
 * lies in the future, its wait begins again now, with its full length. The trigger of
 * `schema/functions/log/delivery-times.ts` computes that time when a row is updated with the value
 * it already has. A locked row is skipped: whoever locks it sets its time.
 */
export function mendTimes(schema: string): (limit: number) => Statement<{ count: string }> {
  return (limit) => ({
    name: 'mend_times',
    text: `
      with moved as materialized (
        select d.id from ${schema}.deliveries d
          where d.state = 'retrying' and d.due_at < 'infinity'
            and d.timed_at > clock_timestamp() + interval '5 seconds'
          limit $1::integer
          for no key update skip locked
      ), deliveries as (
        update ${schema}.deliveries d set due_at = d.due_at
          from moved where d.id = moved.id
          returning 1
      )
      select count(*)::text as count from deliveries`,
    values: [limit],
  })
}
