/**
 * An earlier version of `read_events_5`, for processes of an earlier release. Its pages are not
 * limited in bytes, and every page sorts all rows of the transactions that were writing.
 */
export function readEvents2(schema: string): string {
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

  return `create function ${schema}.read_events_2(in_places json, in_slots integer[],
      in_types text[], in_limit integer, in_scan integer)
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
      writing xid8[];
      found_rows integer := 0;
      more integer;
      highest bigint;
      shown bigint;
      looked_at integer;
    begin
      select array_agg(p.f order by p.n), array_agg(coalesce(p.t, present) order by p.n),
          array_agg(p.s order by p.n), min(greatest(p.o, p.s))
        into froms, tos, seqs, start
        from rows from (json_to_recordset(in_places) as (
          f pg_snapshot, t pg_snapshot, o bigint, s bigint
        )) with ordinality as p (f, t, o, s, n);

      if exists (select from unnest(froms) f
          where pg_snapshot_xmax(f) > pg_snapshot_xmax(present)) then
        raise exception 'the cursors have numbers of another server' using errcode = 'OK003';
      end if;

      writing := array(select distinct w from unnest(froms) f, pg_snapshot_xip(f) w);
      if cardinality(writing) > 0 then
        -- Written so that the primary key is of no use: it would be read from its beginning.
        return query
          select ${columns}
            from ${schema}.outbox o
            where o.xid = any(writing) and (o.seq <= start) is true and ${wanted}
            order by o.seq + 0 limit in_limit;
        get diagnostics found_rows = row_count;
      end if;
      if found_rows < in_limit then
        return query
          select ${columns}
            from (
              select * from ${schema}.outbox o where o.seq > start order by o.seq limit in_scan
            ) o
            where ${wanted}
            order by o.seq limit in_limit - found_rows;
        get diagnostics more = row_count;
        found_rows := found_rows + more;
      end if;
      if found_rows < in_limit then
        select max(s.seq), count(*), max(s.seq) filter (where not exists (
              select from unnest(tos) t where not pg_visible_in_snapshot(s.xid, t)))
            into highest, looked_at, shown
          from (
          select o.seq, o.xid from ${schema}.outbox o where o.seq > start order by o.seq limit in_scan
        ) s;
      end if;
      return query
        select null::text, highest::text, null::text,
          case when looked_at = in_scan then 'stopped' end,
          shown::text, null::text, null::text, present::text, null::text, null::text;
    end $$`
}
