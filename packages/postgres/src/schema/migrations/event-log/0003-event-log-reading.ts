/**
 * Reading by the difference of snapshots: what is visible in one snapshot and was not visible in
 * another, in the order of 'seq'. A plain `seq > last` would lose events that are committed late,
 * and waiting for the oldest open transaction would hold everything up for as long as the slowest
 * handler anywhere.
 */
export function eventLogReading(schema: string): string[] {
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

  return [
    // The statement's snapshot, extended so that every transaction which it neither shows nor names
    // as in progress has begun after it. PostgreSQL's own snapshot ends at the last transaction
    // that has completed. A transaction with a higher id may have been writing for long, and its
    // events may have lower numbers than events that others have committed since. The extended
    // snapshot names these transactions as in progress. 'age' tells the id of the next transaction
    // to begin, as long as the present transaction has no id of its own.
    `create function ${schema}.present_snapshot() returns pg_snapshot
    language plpgsql stable as $$
    declare
      own pg_snapshot := pg_current_snapshot();
      ends bigint := pg_snapshot_xmax(own)::text::bigint;
      beyond integer := age(pg_snapshot_xmax(own)::xid);
    begin
      if beyond <= 0 then
        return own;
      end if;
      return pg_snapshot_xmin(own)::text || ':' || (ends + beyond)::text || ':' || (
        select string_agg(x, ',' order by x::bigint) from (
          select w::text as x from pg_snapshot_xip(own) w
          union all select b::text from generate_series(ends, ends + beyond - 1) b
        ) x);
    end $$`,

    // 'in_places' lists the different positions of the reader's slots; 'in_slots' has for each of
    // the 64 slots the number of its position in that list, from 1, or null. Nearly always all
    // slots are at one position.
    //
    // A transaction that began after the snapshot 'from' has numbers above all that was visible in
    // it, so its rows are at the end of the primary key. A transaction that was writing when 'from'
    // was taken is named in it, and its rows are found by its id. The former have numbers above
    // 'start', the latter below, so the latter are returned first.
    //
    // STABLE: every query in it sees the one snapshot that it returns. The last row is not an
    // event: it has that snapshot and, if requested, the highest number visible in it. By that
    // number, a reader of some types only has fewer rows to pass over in its next reading.
    `create function ${schema}.read_events(in_places json, in_slots integer[], in_types text[],
      in_limit integer, in_newest boolean)
    returns table (slot text, seq text, id text, type text, source text, subject text,
      ordering_key text, data text, headers text, occurred_at text)
    language plpgsql stable
    set enable_seqscan = off set enable_bitmapscan = off set max_parallel_workers_per_gather = 0
    set plan_cache_mode = force_generic_plan
    as $$
    #variable_conflict use_column
    declare
      present pg_snapshot := ${schema}.present_snapshot();
      froms pg_snapshot[];
      tos pg_snapshot[];
      seqs bigint[];
      start bigint;
      writing xid8[];
      found_rows integer := 0;
      more integer;
    begin
      select array_agg(p.f order by p.n), array_agg(coalesce(p.t, present) order by p.n),
          array_agg(p.s order by p.n), min(greatest(p.o, p.s))
        into froms, tos, seqs, start
        from rows from (json_to_recordset(in_places) as (
          f pg_snapshot, t pg_snapshot, o bigint, s bigint
        )) with ordinality as p (f, t, o, s, n);

      -- Transactions are numbered anew in a restored database: this reader has been ahead of them.
      if exists (select from unnest(froms) f
          where pg_snapshot_xmax(f) > pg_snapshot_xmax(present)) then
        raise exception 'the cursors are from another life of this database' using errcode = 'OK003';
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
            from ${schema}.outbox o
            where o.seq > start and ${wanted}
            order by o.seq limit in_limit - found_rows;
        get diagnostics more = row_count;
        found_rows := found_rows + more;
      end if;
      return query
        select null::text,
          case when in_newest and found_rows < in_limit
            then (select max(o.seq) from ${schema}.outbox o)::text
          end,
          null::text, null::text, null::text, null::text, null::text, present::text, null::text,
          null::text;
    end $$`,

    // Whether a cursor has not passed an event.
    `create function ${schema}.is_ahead(in_xid xid8, in_seq bigint, at ${schema}.cursors)
    returns boolean language sql immutable as $$
      select not pg_visible_in_snapshot(in_xid, at.from_snapshot)
        and case when at.to_snapshot is null or pg_visible_in_snapshot(in_xid, at.to_snapshot)
          then in_seq > at.seq else true end
    $$`,

    // How far a consumer is behind, by its cursors on record.
    `create function ${schema}.log_lag(in_consumer text, in_limit integer)
    returns table (events text, oldest_ms text)
    language sql stable set enable_seqscan = off as $$
      select count(*)::text,
          (extract(epoch from clock_timestamp() - min(b.occurred_at)) * 1000)::bigint::text
        from (
          select o.occurred_at
            from ${schema}.cursors c
            join ${schema}.outbox o on o.slot = c.slot and ${schema}.is_ahead(o.xid, o.seq, c)
            where c.consumer = in_consumer
              and (o.seq > (select min(f.floor) from ${schema}.cursors f
                  where f.consumer = in_consumer)
                or o.xid = any(array(select distinct w
                  from ${schema}.cursors f, pg_snapshot_xip(f.from_snapshot) w
                  where f.consumer = in_consumer)))
            limit in_limit
        ) b
    $$`,
  ]
}
