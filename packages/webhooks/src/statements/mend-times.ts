import type { Statement } from '@oncekey/postgres/client'

/**
 * Repairs times after the clock was put back. Times that were set at an instant that now lies in
 * the future are moved, so that they are as far ahead of the present as they were when they were
 * set. The triggers of `schema/functions/webhook-times.ts` compute them when a row is updated with
 * the values it already has. A locked row is skipped: whoever locks it sets its times.
 */
export function mendTimes(schema: string): Statement<{ count: string }> {
  return {
    name: 'mend_webhook_times',
    text: `
      with moved as materialized (
        select d.id from ${schema}.webhook_deliveries d
          where d.state = 'pending' and d.timed_at > clock_timestamp() + interval '5 seconds'
          for no key update skip locked
      ), deliveries as (
        update ${schema}.webhook_deliveries d
          set due_at = d.due_at, leased_until = d.leased_until
          from moved where d.id = moved.id
          returning 1
      ), held as materialized (
        select e.id from ${schema}.webhook_endpoints e
          where e.timed_at > clock_timestamp() + interval '5 seconds'
          order by e.id
          for no key update skip locked
      ), endpoints as (
        update ${schema}.webhook_endpoints e
          set blocked_until = e.blocked_until, rate_free_at = e.rate_free_at
          from held where e.id = held.id
          returning 1
      )
      select ((select count(*) from deliveries) + (select count(*) from endpoints))::text as count`,
    values: [],
  }
}
