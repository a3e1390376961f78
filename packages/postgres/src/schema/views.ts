/**
 * Views that show people in psql what is wrong, in the words of the docs. Programs use the
 * functions of the packages instead.
 */
export function operatorViews(schema: string): string[] {
  return [
    `create view ${schema}.unknown_keys as
      select a.namespace, a.scope, a.key, a.number as attempt, a.claimed_at,
          coalesce(l.until, a.until) as unknown_since
        from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where coalesce(l.until, a.until) <= clock_timestamp()`,

    `create view ${schema}.dead_letters as
      select d.id, d.consumer, d.type, d.subject, d.event_id, d.reason,
          d.error_name || ': ' || d.error_message as error, d.attempts, d.redrives, d.dead_at
        from ${schema}.deliveries d where d.state = 'dead'`,

    `create view ${schema}.consumer_lag as${consumerLag(schema, 'log_lag_2')}`,
  ]
}

/** What `consumer_lag` selects, with the lag that this function finds. */
export function consumerLag(schema: string, lag: string): string {
  return `
      select c.name as consumer, l.events::bigint as events,
          l.oldest_ms::bigint * interval '1 millisecond' as oldest, (
            select count(*) from (
              select from ${schema}.deliveries d
                where d.consumer = c.name and d.state = 'retrying' limit 10000
            ) r) as retrying, (
            select count(*) from ${schema}.cursors u
              join ${schema}.relays h on h.consumer = u.consumer and h.relay = u.relay
              where u.consumer = c.name and h.until > clock_timestamp()) as held_slots, (
            select count(*) from ${schema}.relays r
              where r.consumer = c.name and r.until > clock_timestamp()) as relays,
          c.paused_at
        from ${schema}.consumers c cross join lateral ${schema}.${lag}(c.name, 10000) l`
}
