import type { Statement } from '@oncekey/postgres/client'

/**
 * Moves times that were set in the future, which means before the clock was put back, so that they
 * lie as far ahead again as when they were set. The triggers of `schema/functions/webhook-times.ts`
 * do it when a row is updated, even with the same values. A locked row is passed over: whoever
 * locks it sets its times.
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
