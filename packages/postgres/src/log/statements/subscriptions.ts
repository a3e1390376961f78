import type { Statement } from '../../sql-client.ts'

/** What is on record of the releases of a consumer, and the time; no row where it is not known. */
export function findSubscriptions(
  schema: string,
  consumer: string,
): Statement<{ record: string | null; now_ms: string }> {
  return {
    name: 'find_subscriptions',
    text: `
      select subscriptions as record,
          (extract(epoch from clock_timestamp()) * 1000)::bigint::text as now_ms
        from ${schema}.consumers where name = $1::text`,
    values: [consumer],
  }
}

/**
 * Puts another record in the place of that one; no row where it is another by now. Flushed, whatever
 * the server is set to: after a crash that took it an old release would pass what a new one takes.
 */
export function setSubscriptions(
  schema: string,
  change: {
    readonly consumer: string
    readonly before: string | null
    readonly after: string
    readonly wanted: string
  },
): Statement<{ set: string }> {
  return {
    name: 'set_subscriptions',
    text: `
      update ${schema}.consumers
        set subscriptions = $3::text, wanted = $4::text, seen_at = now(), abandoned_at = null
        where name = $1::text and subscriptions is not distinct from $2::text
        returning name as set, set_config('synchronous_commit',
          case current_setting('synchronous_commit')
            when 'off' then 'on' else current_setting('synchronous_commit') end, true)`,
    values: [change.consumer, change.before, change.after, change.wanted],
  }
}
