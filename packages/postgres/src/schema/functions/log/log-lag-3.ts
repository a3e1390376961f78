/**
 * How far a consumer is behind, by its cursors on record. The wait of the oldest event is measured
 * by this server's clock, not by 'occurred_at', which the emitting process set. Raises OK003 if
 * rows and cursors have numbers of another server, because the lag is then unknown, or if the
 * sequence of the events' numbers is behind what a cursor has passed, because new events would not
 * count. A role that may not read the sequence is not told the latter.
 */
export function logLag3(schema: string): string {
  return `create function ${schema}.log_lag_3(in_consumer text, in_limit integer)
    returns table (events text, oldest_ms text)
    language plpgsql stable set enable_seqscan = off set jit = off as $$
    begin
      if not ${schema}.numbers_are_ours() then
        raise exception 'the events and cursors have numbers of another server'
          using errcode = 'OK003';
      end if;
      if not ${schema}.numbers_go_on(in_consumer) then
        raise exception 'the numbers of events begin again below those that were passed'
          using errcode = 'OK003';
      end if;
      return query
        select count(*)::text, case when count(*) > 0 then (extract(epoch from
              clock_timestamp() - least(min(b.waiting_since), clock_timestamp())) * 1000)::bigint::text
            end
          from (
            select coalesce(o.appended_at, o.occurred_at) as waiting_since
              from ${schema}.cursors c
              join ${schema}.outbox o on o.slot = c.slot and ${schema}.is_ahead(o.xid, o.seq, c)
              where c.consumer = in_consumer
                and (o.seq > (select min(f.floor) from ${schema}.cursors f
                    where f.consumer = in_consumer)
                  or o.xid = any(array(select distinct w
                    from ${schema}.cursors f, pg_snapshot_xip(f.from_snapshot) w
                    where f.consumer = in_consumer)))
              limit in_limit
          ) b;
    end $$`
}
