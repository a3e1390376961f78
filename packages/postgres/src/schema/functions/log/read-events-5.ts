import { bytesOf } from '../expressions/bytes-of.ts'

/**
 * Reads the next events of some slots. 'in_places' lists the different positions of the reader's
 * slots, and 'in_slots' has for each of the 64 slots the number of its position in that list,
 * counted from 1, or null. Nearly always all slots are at one position.
 *
 * A position names a snapshot, 'from'. There are two kinds of unread rows. A transaction that began
 * after the snapshot has numbers above all that the snapshot showed, so its rows are at the end of
 * the primary key; at most 'in_scan' of them are looked at, wanted or not. A transaction that was
 * writing when the snapshot was taken is named in it, and its rows are found by its id; their
 * numbers are at most 'start'. They are returned first, because the rows of the first kind have
 * numbers above 'start'.
 *
 * If the transactions that were writing have more than 'in_scan' rows, every page would have to
 * sort all of them. Then these rows are read by number instead, from the first one or from where
 * the page before ended, together with all that follow: 'in_scan' rows a page, and each row once.
 *
 * The page ends with the event that brings it to 'in_bytes', by the sizes in the rows, so it has at
 * least one event. 'cut' is the number of that event, if there is one.
 *
 * STABLE: every query in it sees the one snapshot that it returns. The last row is not an event.
 * Its 'data' is that snapshot, its 'seq' the highest number that was looked at (null if there was
 * none, and if the page ended because of its bytes), its 'source' the highest of these that every
 * 'to' shows, and its 'type' is 'stopped' if there may be more.
 */
export function readEvents5(schema: string): string {
  const columns = `o.slot::text, o.seq::text, o.id::text, o.type, o.source, o.subject,
          o.ordering_key, o.data::text, o.headers::text,
          (extract(epoch from o.occurred_at) * 1000)::bigint::text`
  // The index of the position that the row's slot is at; null if this reader does not have the
  // slot.
  const place = 'in_slots[o.slot + 1]'
  const wanted = `not pg_visible_in_snapshot(o.xid, froms[${place}])
            and pg_visible_in_snapshot(o.xid, tos[${place}])
            and o.seq > seqs[${place}]
            and (in_types is null or o.type = any(in_types))`

  return `create function ${schema}.read_events_5(in_places json, in_slots integer[],
      in_types text[], in_limit integer, in_scan integer, in_bytes bigint)
    returns table (slot text, seq text, id text, type text, source text, subject text,
      ordering_key text, data text, headers text, occurred_at text)
    language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set max_parallel_workers_per_gather = 0
    set plan_cache_mode = force_generic_plan
    as $$
    #variable_conflict use_column
    declare
      present pg_snapshot := ${schema}.present_snapshot_2();
      froms pg_snapshot[];
      tos pg_snapshot[];
      seqs bigint[];
      start bigint;
      passed bigint;
      writing xid8[];
      written integer;
      found_rows integer := 0;
      more integer;
      highest bigint;
      shown bigint;
      looked_at integer;
      cut bigint;
    begin
      select array_agg(p.f order by p.n), array_agg(coalesce(p.t, present) order by p.n),
          array_agg(p.s order by p.n), min(greatest(p.o, p.s)), min(p.s)
        into froms, tos, seqs, start, passed
        from rows from (json_to_recordset(in_places) as (
          f pg_snapshot, t pg_snapshot, o bigint, s bigint
        )) with ordinality as p (f, t, o, s, n);

      if exists (select from unnest(froms) f
          where pg_snapshot_xmax(f) > pg_snapshot_xmax(present)) then
        raise exception 'the cursors have numbers of another server' using errcode = 'OK003';
      end if;

      -- Who is writing still has nothing to show, though it may be a million rows to look at.
      writing := array(select distinct w from unnest(froms) f, pg_snapshot_xip(f) w
        where pg_visible_in_snapshot(w, present));
      -- Of what is up to 'start' all has been read; and it may be a million rows to look at, page by page.
      if passed >= start then
        writing := '{}';
      end if;
      if cardinality(writing) > 0 then
        -- Plus 0, here and below, so that the primary key is of no use: it would be read from its beginning.
        select count(*) into written from (
          select from ${schema}.outbox o
            where o.xid = any(writing) and (o.seq + 0 <= start) is true limit in_scan
        ) w;
        if written = in_scan then
          if passed = 0 then
            select min(o.seq + 0) - 1 into passed from ${schema}.outbox o
              where o.xid = any(writing) and (o.seq + 0 <= start) is true;
          end if;
          start := passed;
          writing := '{}';
        end if;
      end if;
      if cardinality(writing) > 0 then
        select min(s.seq) into cut from (
            select w.seq, sum(w.bytes) over (order by w.seq) as bytes from (
              select o.seq, ${bytesOf('o')} as bytes from ${schema}.outbox o
                where o.xid = any(writing) and (o.seq <= start) is true and ${wanted}
                order by o.seq + 0 limit in_limit
            ) w
          ) s where s.bytes >= in_bytes;
        return query
          select ${columns}
            from ${schema}.outbox o
            where o.xid = any(writing) and (o.seq <= start) is true and ${wanted}
              and (cut is null or o.seq <= cut)
            order by o.seq + 0 limit in_limit;
        get diagnostics found_rows = row_count;
      end if;
      if found_rows < in_limit and cut is null then
        return query
          select ${columns}
            from (
              select f.*, sum(f.bytes) over (order by f.seq rows unbounded preceding)
                  - f.bytes as before
                from (
                  select o.*, ${bytesOf('o')} as bytes
                    from (
                      select * from ${schema}.outbox o where o.seq > start order by o.seq limit in_scan
                    ) o
                    where ${wanted}
                    order by o.seq limit in_limit - found_rows
                ) f
            ) o
            where o.before < in_bytes
            order by o.seq;
        get diagnostics more = row_count;
        if more > 0 and found_rows + more < in_limit then
          select min(s.seq) into cut from (
            select f.seq, sum(f.bytes) over (order by f.seq rows unbounded preceding) as bytes
              from (
                select o.seq, ${bytesOf('o')} as bytes
                  from (
                    select * from ${schema}.outbox o where o.seq > start order by o.seq limit in_scan
                  ) o
                  where ${wanted}
                  order by o.seq limit more
              ) f
          ) s where s.bytes >= in_bytes;
        end if;
        found_rows := found_rows + more;
      end if;
      if found_rows < in_limit and cut is null then
        select max(s.seq), count(*), max(s.seq) filter (where not exists (
              select from unnest(tos) t where not pg_visible_in_snapshot(s.xid, t)))
            into highest, looked_at, shown
          from (
          select o.seq, o.xid from ${schema}.outbox o where o.seq > start order by o.seq limit in_scan
        ) s;
      end if;
      return query
        select null::text, highest::text, null::text,
          case when looked_at = in_scan or cut is not null then 'stopped' end,
          shown::text, null::text, null::text, present::text, null::text, null::text;
    end $$`
}
