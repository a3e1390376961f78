/**
 * Gives a new consumer its cursors. A consumer that was abandoned again keeps events from being
 * deleted.
 *
 * 'now' is a snapshot and the highest number in the log. The number is read first: an event that is
 * not visible in the snapshot, of a transaction that is not named there either, has to have a
 * higher one.
 */
export function subscribe2(schema: string): string {
  return `create function ${schema}.subscribe_2(in_consumer text, in_now boolean) returns void
    language plpgsql volatile as $$
    declare
      newest bigint := 0;
      present pg_snapshot := '1:1:';
    begin
      if in_now then
        select coalesce(max(o.seq), 0) into newest from ${schema}.outbox o;
        present := ${schema}.present_snapshot_3();
      end if;
      insert into ${schema}.consumers as c (name) values (in_consumer)
        on conflict on constraint consumers_pkey
        do update set seen_at = now(), abandoned_at = null;
      insert into ${schema}.cursors (consumer, slot, from_snapshot, floor, seq)
        select in_consumer, s, present, newest, 0 from generate_series(0, 63) s
        on conflict on constraint cursors_pkey do nothing;
    end $$`
}
