/**
 * A new snapshot, extended so that every transaction which it neither shows nor names as in
 * progress has begun after it. PostgreSQL's own snapshot ends at the last transaction that has
 * completed. A transaction with a higher id may have been writing for long, and its events may have
 * lower numbers than events that others have committed since. The extended snapshot names these
 * transactions as in progress; what is visible in it is the same.
 *
 * Every subtransaction uses up an id, so there may be a million such ids, too many to name. Above
 * 500 the function completes an id itself: that of a subtransaction which it rolls back. The next
 * snapshot ends above that id, and only the ids of the microseconds since have to be named, up to
 * that of another such subtransaction. A process can be suspended in between; after twenty tries,
 * or where the isolation level gives a transaction no second snapshot, it raises OK005.
 *
 * Call it before anything else in a transaction: 'age' returns there the id that was the next one
 * when it was first asked, and the ids of subtransactions need one of the transaction, which has to
 * come before those of the events.
 */
export function presentSnapshot3(schema: string): string {
  return `create function ${schema}.present_snapshot_3() returns pg_snapshot
    language plpgsql volatile as $$
    declare
      present pg_snapshot := pg_current_snapshot();
      ends bigint := pg_snapshot_xmax(present)::text::bigint;
      -- Of a transaction that has an id of its own, 'age' would return that one.
      beyond bigint := case when pg_current_xact_id_if_assigned() is null
        then age(pg_snapshot_xmax(present)::xid) end;
      tries integer := 0;
    begin
      while beyond is null or beyond > 500 loop
        if tries > 0 then
          present := pg_current_snapshot();
          ends := pg_snapshot_xmax(present)::text::bigint;
        end if;
        begin
          insert into ${schema}.life (database) values (0)
            returning (xmin::text::bigint - ends % 4294967296 + 4294967296) % 4294967296
            into beyond;
          -- Undoes the row. The variable keeps its value.
          raise exception using errcode = 'OK005';
        exception when sqlstate 'OK005' then
          tries := tries + 1;
        end;
        if beyond > 500 and tries = 20 then
          raise exception 'too many transactions have begun since the last that has completed'
            using errcode = 'OK005';
        end if;
      end loop;
      if beyond = 0 then
        return present;
      end if;
      return pg_snapshot_xmin(present)::text || ':' || (ends + beyond)::text || ':' || (
        select string_agg(x, ',' order by x::bigint) from (
          select w::text as x from pg_snapshot_xip(present) w
          union all select b::text from generate_series(ends, ends + beyond - 1) b
        ) x);
    end $$`
}
