import type { Statement } from '../../sql/sql-client.ts'

/**
 * Repairs retries after the clock was put back. If `timed_at`, the moment at which the wait of a
 * retry was set, lies in the future by the present clock, the wait begins again now, with its full
 * length. This statement updates `due_at` with the value that it already has, and the trigger of
 * `schema/functions/log/delivery-times.ts` then computes the new one. A locked row is skipped:
 * whoever locks it sets its time.
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
