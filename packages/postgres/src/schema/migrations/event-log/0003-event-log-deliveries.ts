/**
 * Functions for deliveries that did not succeed at once (filed, taken, settled, put back), and for
 * the inbox.
 */
export function eventLogDeliveries(schema: string): string[] {
  const tried = `started_at bigint, duration_ms bigint, name text, message text, code text,
      stack text, fingerprint text`

  return [
    // Files the failed deliveries of the slots whose cursors moved. A delivery that waits behind
    // another one of its ordering key has not been attempted. No verdict about that other one can
    // be recorded in between, because the cursor is locked.
    `create function ${schema}.file_failed(in_consumer text, in_slots smallint[], in_failed json)
    returns void language plpgsql volatile set enable_seqscan = off as $$
    declare
      failed record;
      filed bigint;
      tries integer;
    begin
      for failed in
        select * from json_to_recordset(in_failed) as f (slot smallint, seq bigint, id text, type text,
            source text, subject text, ordering_key text, data text, headers jsonb,
            occurred_at bigint, state text, reason text, delay_ms bigint, ${tried})
          where f.slot = any(in_slots)
      loop
        tries := case when failed.started_at is null then 0 else 1 end;
        insert into ${schema}.deliveries as d (consumer, slot, seq, event_id, type, source, subject,
            ordering_key, data, headers, occurred_at, state, reason, attempts, starts, due_at, dead_at,
            error_name, error_message, error_code, fingerprint)
          values (in_consumer, failed.slot, failed.seq, failed.id, failed.type, failed.source,
            failed.subject, failed.ordering_key, failed.data::json, failed.headers,
            to_timestamp(failed.occurred_at / 1000.0), failed.state, failed.reason, tries, tries,
            case when tries = 0 and failed.state = 'retrying' and exists (
                select from ${schema}.deliveries b
                  where b.consumer = in_consumer and b.slot = failed.slot
                    and b.ordering_key = failed.ordering_key and b.state = 'retrying'
                    and b.seq < failed.seq)
              then 'infinity'
              else clock_timestamp() + failed.delay_ms * interval '1 millisecond' end,
            case when failed.state = 'dead' then clock_timestamp() end,
            failed.name, failed.message, failed.code, failed.fingerprint)
          on conflict on constraint deliveries_once do nothing
          returning d.id into filed;
        if filed is not null and tries = 1 then
          insert into ${schema}.delivery_attempts values (filed, 1,
            to_timestamp(failed.started_at / 1000.0), failed.duration_ms, failed.name, failed.message,
            failed.code, failed.stack, failed.fingerprint);
        end if;
      end loop;
    end $$`,

    // Takes the deliveries that are due in these slots, and counts a start for each. A delivery
    // that was started and whose verdict was never recorded is taken alone, because it may have
    // killed its process.
    `create function ${schema}.take_due(in_consumer text, in_held json, in_except bigint[],
      in_limit integer)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      mine smallint[];
      due bigint[];
      dubious bigint;
      deliveries json;
      next_at timestamptz;
    begin
      select coalesce(array_agg(c.slot), '{}') into mine
        from ${schema}.cursors c
        join json_to_recordset(in_held) as h (slot smallint, epoch bigint)
          on c.consumer = in_consumer and c.slot = h.slot and c.epoch = h.epoch;
      due := array(
        select d.id from unnest(mine) m cross join lateral (
            select id, due_at from ${schema}.deliveries
              where consumer = in_consumer and slot = m and state = 'retrying'
                and due_at <= clock_timestamp() and id <> all(in_except)
              order by due_at limit in_limit
          ) d
          order by d.due_at limit in_limit);
      if cardinality(due) > 0 then
        select d.id into dubious from ${schema}.deliveries d
          where d.id = any(due) and d.starts > d.attempts order by d.due_at limit 1;
        if dubious is not null then
          due := array[dubious];
        end if;
        with taking as (
          update ${schema}.deliveries d set starts = d.starts + 1
            where d.id = any(due) and d.state = 'retrying'
            returning d.*
        )
        select json_agg(json_build_object('delivery', t.id::text, 'slot', t.slot, 'seq', t.seq::text,
            'id', t.event_id, 'type', t.type, 'source', t.source, 'subject', t.subject,
            'ordering_key', t.ordering_key, 'data', t.data::text, 'headers', t.headers::text,
            'occurred_at', (extract(epoch from t.occurred_at) * 1000)::bigint,
            'attempts', t.attempts, 'starts', t.starts, 'redrives', t.redrives)
            order by t.due_at, t.seq)
          into deliveries from taking t;
      end if;
      select min(d.due_at) into next_at from unnest(mine) m cross join lateral (
          select due_at from ${schema}.deliveries
            where consumer = in_consumer and slot = m and state = 'retrying'
              and due_at < 'infinity' and id <> all(due) and id <> all(in_except)
            order by due_at limit 1
        ) d;
      return json_build_object('deliveries', coalesce(deliveries, '[]'), 'next_in_ms', case when next_at is not null then
        greatest(0, ceil(extract(epoch from next_at - clock_timestamp()) * 1000)) end)::text;
    end $$`,

    // Records the verdicts of deliveries. When a delivery is done or dead, the first delivery of
    // its ordering key that waits behind it becomes due.
    `create function ${schema}.settle(in_consumer text, in_held json, in_settled json)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      mine smallint[];
      it record;
      was ${schema}.deliveries;
    begin
      select coalesce(array_agg(l.slot), '{}') into mine from (
        select c.slot
          from ${schema}.cursors c
          join json_to_recordset(in_held) as h (slot smallint, epoch bigint)
            on c.consumer = in_consumer and c.slot = h.slot and c.epoch = h.epoch
          order by c.slot
          for share of c
      ) l;
      for it in
        select * from json_to_recordset(in_settled) as s (delivery bigint, slot smallint, state text,
            reason text, delay_ms bigint, ${tried})
          where s.slot = any(mine)
      loop
        was := null;
        if it.state = 'done' then
          update ${schema}.deliveries d
            set state = 'resolved', resolution = 'redriven', resolved_at = clock_timestamp(),
              starts = d.attempts
            where d.id = it.delivery and d.state = 'retrying' and d.redrives > 0
            returning * into was;
          if not found then
            delete from ${schema}.deliveries d where d.id = it.delivery and d.state = 'retrying'
              returning * into was;
          end if;
        else
          update ${schema}.deliveries d
            set state = it.state, reason = it.reason,
              attempts = d.attempts + case when it.started_at is null then 0 else 1 end,
              starts = d.attempts + case when it.started_at is null then 0 else 1 end,
              due_at = clock_timestamp() + it.delay_ms * interval '1 millisecond',
              dead_at = case when it.state = 'dead' then clock_timestamp() end,
              error_name = coalesce(it.name, d.error_name),
              error_message = coalesce(it.message, d.error_message),
              error_code = case when it.name is null then d.error_code else it.code end,
              fingerprint = coalesce(it.fingerprint, d.fingerprint)
            where d.id = it.delivery and d.state = 'retrying'
            returning * into was;
          if found and it.started_at is not null then
            insert into ${schema}.delivery_attempts
              select it.delivery, coalesce(max(a.number), 0) + 1,
                  to_timestamp(it.started_at / 1000.0), it.duration_ms, it.name, it.message, it.code,
                  it.stack, it.fingerprint
                from ${schema}.delivery_attempts a where a.delivery = it.delivery;
          end if;
        end if;
        if it.state <> 'retrying' then
          update ${schema}.deliveries d set due_at = clock_timestamp()
            where d.due_at = 'infinity' and d.id = (
              select b.id from ${schema}.deliveries b
                where b.consumer = in_consumer and b.slot = it.slot
                  and b.ordering_key = was.ordering_key and b.state = 'retrying'
                order by b.seq limit 1);
        end if;
      end loop;
      return (
        select coalesce(json_agg(h.slot), '[]')::text
          from json_to_recordset(in_held) as h (slot smallint) where h.slot <> all(mine)
      );
    end $$`,

    // The first statement of a consumer's transaction: marks the events as taken in, and the
    // transaction as that of this intake. Another transaction that takes in the same event waits
    // here.
    `create function ${schema}.take_in(in_attempt text, in_backstop_ms integer, in_consumer text,
      in_events json)
    returns text language plpgsql volatile as $$
    declare
      started text := ${schema}.start_attempt(in_attempt, in_backstop_ms);
      fresh json;
    begin
      with taken as (
        insert into ${schema}.processed_events (consumer, event_id)
          select in_consumer, e from json_array_elements_text(in_events) e order by e
          on conflict on constraint processed_events_pkey do nothing
          returning event_id
      )
      select coalesce(json_agg(event_id), '[]') into fresh from taken;
      return json_build_object('started', started::json, 'fresh', fresh)::text;
    end $$`,

    // Takes in an event and appends what its consumer emitted, for a consumer that asked for no
    // transaction.
    `create function ${schema}.emit_once(in_consumer text, in_event text, in_events json)
    returns text language plpgsql volatile as $$
    begin
      insert into ${schema}.processed_events (consumer, event_id) values (in_consumer, in_event)
        on conflict on constraint processed_events_pkey do nothing;
      if not found then
        return 'duplicate';
      end if;
      perform ${schema}.append_events(in_events);
      return 'done';
    end $$`,
  ]
}
