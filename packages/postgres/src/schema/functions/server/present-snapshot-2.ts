/**
 * The present snapshot for people who look through the log. It is in use beside
 * `present_snapshot_3`, which readers of the log call: this one writes nothing, so a role that may
 * only read can call it, but it does not reach as far. Processes of earlier releases read by it,
 * too.
 *
 * The statement's snapshot, extended so that every transaction which it neither shows nor names as
 * in progress has begun after it. PostgreSQL's own snapshot ends at the last transaction that has
 * completed. A transaction with a higher id may have been writing for long, and its events may have
 * lower numbers than events that others have committed since. The extended snapshot names these
 * transactions as in progress; what is visible in it is the same. 'age' tells the id of the next
 * transaction to begin, as long as the present transaction has no id of its own.
 *
 * Every subtransaction uses up an id, so there may be a million such ids, too many to name. Above
 * 500 the function raises OK005. The caller then completes a transaction with an id, and asks
 * again: PostgreSQL's own snapshot then reaches up to that id. It gives up after three tries. So
 * while more than 500 subtransactions begin in each round trip, the log cannot be looked through.
 */
export function presentSnapshot2(schema: string): string {
  return `create function ${schema}.present_snapshot_2() returns pg_snapshot
    language plpgsql stable as $$
    declare
      own pg_snapshot := pg_current_snapshot();
      ends bigint := pg_snapshot_xmax(own)::text::bigint;
      beyond integer := age(pg_snapshot_xmax(own)::xid);
    begin
      if beyond <= 0 then
        return own;
      end if;
      if beyond > 500 then
        raise exception 'too many transactions have begun since the last that has completed'
          using errcode = 'OK005';
      end if;
      return pg_snapshot_xmin(own)::text || ':' || (ends + beyond)::text || ':' || (
        select string_agg(x, ',' order by x::bigint) from (
          select w::text as x from pg_snapshot_xip(own) w
          union all select b::text from generate_series(ends, ends + beyond - 1) b
        ) x);
    end $$`
}
