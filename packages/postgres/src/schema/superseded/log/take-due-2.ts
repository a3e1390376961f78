/**
 * An earlier version of `take_due_3`, for processes of an earlier release. Its result is not
 * limited in bytes.
 */
export function takeDue2(schema: string): string {
  const meant = `(in_whole is null or type = any(in_whole)
              or exists (select from unnest(in_beginnings) b where starts_with(type, b)))`
  return `create function ${schema}.take_due_2(in_consumer text, in_held json, in_except bigint[],
      in_limit integer, in_whole text[], in_beginnings text[])
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
                and due_at <= clock_timestamp() and id <> all(in_except) and ${meant}
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
              and due_at < 'infinity' and id <> all(due) and id <> all(in_except) and ${meant}
            order by due_at limit 1
        ) d;
      return json_build_object('deliveries', coalesce(deliveries, '[]'), 'next_in_ms',
        case when next_at is not null then
          greatest(0, ceil(extract(epoch from next_at - clock_timestamp()) * 1000)) end)::text;
    end $$`
}
