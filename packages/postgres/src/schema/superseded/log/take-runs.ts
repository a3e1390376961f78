import { bytesOf } from '../../functions/expressions/bytes-of.ts'

/** An earlier version of `take_runs_2`, for processes of an earlier release. */
export function takeRuns(schema: string): string {
  const meant = (table: string): string => `${table}.id <> all(in_except)
              and (in_whole is null or ${table}.type = any(in_whole)
                or exists (select from unnest(in_beginnings) s where starts_with(${table}.type, s)))`
  const isFirst = `not exists (select from ${schema}.deliveries b
                where b.consumer = in_consumer and b.slot = m and b.ordering_key = h.ordering_key
                  and b.state = 'retrying' and b.seq < h.seq)`
  return `create function ${schema}.take_runs(in_consumer text, in_held json, in_except bigint[],
      in_limit integer, in_whole text[], in_beginnings text[], in_bytes bigint, in_run integer)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      at timestamptz := clock_timestamp();
      mine smallint[];
      firsts bigint[];
      due bigint[];
      dubious bigint;
      deliveries json;
      next_at timestamptz;
    begin
      select coalesce(array_agg(c.slot), '{}') into mine
        from ${schema}.cursors c
        join json_to_recordset(in_held) as h (slot smallint, epoch bigint)
          on c.consumer = in_consumer and c.slot = h.slot and c.epoch = h.epoch;
      firsts := array(
        select d.id from unnest(mine) m cross join lateral (
            select h.id, h.due_at from ${schema}.deliveries h
              where h.consumer = in_consumer and h.slot = m and h.state = 'retrying'
                and h.due_at <= at and ${meant('h')} and ${isFirst}
              order by h.due_at limit in_limit
          ) d
          order by d.due_at limit in_limit);
      due := firsts;
      if cardinality(firsts) > 0 then
        select d.id into dubious from ${schema}.deliveries d
          where d.id = any(firsts) and d.starts > d.attempts order by d.due_at limit 1;
        if dubious is not null then
          firsts := array[dubious];
          due := firsts;
        else
          due := array(
            select s.id from (
              select r.id, r.rank, r.first_at, r.seq, row_number() over turns as place,
                  sum(r.bytes) over turns - r.bytes as before
                from (
                  select f.id, f.seq, f.rank, f.bytes, h.due_at as first_at
                    from ${schema}.deliveries h cross join lateral (
                      select n.id, n.seq, n.bytes, row_number() over in_order as rank,
                          bool_and(n.joins) over in_order as joins
                        from (
                          select d.id, d.seq, ${bytesOf('d')} as bytes,
                              d.id = h.id or (d.starts <= d.attempts
                                and (d.due_at <= at or d.due_at = 'infinity')
                                and ${meant('d')}) as joins
                            from ${schema}.deliveries d
                            where d.consumer = in_consumer and d.slot = h.slot
                              and d.ordering_key = h.ordering_key and d.state = 'retrying'
                              and d.seq >= h.seq
                            order by d.seq limit in_run
                        ) n
                        window in_order as (order by n.seq rows unbounded preceding)
                    ) f
                    where h.id = any(firsts) and f.joins
                ) r
                window turns as (order by r.rank, r.first_at, r.seq rows unbounded preceding)
            ) s
            where s.place <= greatest(in_limit, in_run) and s.before < in_bytes
            order by s.place);
        end if;
        update ${schema}.deliveries d set starts = d.starts + 1
          where d.id = any(firsts) and d.id = any(due) and d.state = 'retrying';
        select json_agg(json_build_object('delivery', t.id::text, 'slot', t.slot, 'seq', t.seq::text,
            'id', t.event_id, 'type', t.type, 'source', t.source, 'subject', t.subject,
            'ordering_key', t.ordering_key, 'data', t.data::text, 'headers', t.headers::text,
            'occurred_at', (extract(epoch from t.occurred_at) * 1000)::bigint,
            'attempts', t.attempts, 'starts', t.starts, 'redrives', t.redrives)
            order by array_position(due, t.id))
          into deliveries from ${schema}.deliveries t
          where t.id = any(due) and t.state = 'retrying';
      end if;
      select min(d.due_at) into next_at from unnest(mine) m cross join lateral (
          select h.due_at from ${schema}.deliveries h
            where h.consumer = in_consumer and h.slot = m and h.state = 'retrying'
              and h.due_at < 'infinity' and h.id <> all(due) and ${meant('h')} and ${isFirst}
            order by h.due_at limit 1
        ) d;
      return json_build_object('deliveries', coalesce(deliveries, '[]'), 'next_in_ms',
        case when next_at is not null then
          greatest(0, ceil(extract(epoch from next_at - clock_timestamp()) * 1000)) end)::text;
    end $$`
}
