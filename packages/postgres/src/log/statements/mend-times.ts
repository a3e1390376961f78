import type { Statement } from '../../sql/sql-client.ts'

/**
 * Moves retries whose times were set in the future, which means before the clock was put back, so
 * that they lie as far ahead again as when they were set. The trigger of
 * `schema/functions/log/delivery-times.ts` does it when a row is updated with the value it has. A
 * locked row is passed over: whoever locks it sets its time.
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
