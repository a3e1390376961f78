/**
 * The snapshot of the statement, with the same visible in it, and one thing more: whoever is not in
 * it, neither visible nor among those in progress, has begun after it. PostgreSQL's own ends at the
 * last transaction that has completed: those beyond may have been writing for long, and have taken
 * numbers below what others have committed since. They are named as in progress here. 'age' knows
 * the next transaction to begin, as long as this one has not begun to write itself.
 *
 * Every subtransaction uses up a number, so there may be a million beyond. They are not named then:
 * raises OK005, and whoever asks uses up a number and asks again. With that the last transaction
 * that has completed is behind them, and PostgreSQL's own snapshot names those that matter.
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
