import { handedOut, numbersOfEvents } from '../expressions/handed-out.ts'

/**
 * Repairs all cursors in a database whose rows came from another server. The transaction ids in the
 * cursors are that server's and mean nothing here, so each cursor is set by 'seq', the events'
 * numbers, which came with the rows. It is set to the highest number that it knows of. But if there
 * is an event with a lower number that its old snapshots do not show (the event's row still has the
 * old server's id, too), the cursor is set to just before the first such event. That may be less
 * than the consumer had passed, so some events are delivered again.
 *
 * If the sequence of these numbers is behind what a cursor has passed, new events would count as
 * passed. Then the sequence is set, too, and every cursor begins with the oldest event. Some new
 * events may have got lower numbers than old ones: up to which number that is so, and how old the
 * oldest event is, goes on record for whoever takes the lowest number for the oldest event.
 *
 * All cursors are repaired at once, because afterwards the ids of the old server are gone from the
 * rows.
 */
export function rebase3(schema: string): string {
  return `create function ${schema}.rebase_3() returns text
    language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      present pg_snapshot;
      sequence regclass := ${numbersOfEvents(schema)};
      newest bigint;
      handed_out bigint;
      rebased integer := 0;
      mixed_to bigint;
      oldest_at timestamptz;
    begin
      lock table ${schema}.cursors in exclusive mode;
      -- Retention may have deleted the event with the highest number, and a cursor remembers it.
      select greatest(0, (select max(o.seq) from ${schema}.outbox o),
          (select max(greatest(c.floor, c.seq)) from ${schema}.cursors c))
        into newest;
      ${handedOut('sequence', 'handed_out')}
      -- By now others may have moved their cursors, or set all of them right.
      present := pg_current_snapshot();
      if ${schema}.numbers_are_ours() and handed_out >= newest
        and not exists (
          select from ${schema}.cursors c
            where pg_snapshot_xmax(c.from_snapshot) > pg_snapshot_xmax(present))
        and not exists (
          select from ${schema}.outbox o where o.xid >= pg_snapshot_xmax(present)
            and pg_visible_in_snapshot(o.xid, present)) then
        return '0';
      end if;

      select n.mixed_to, n.oldest_at into mixed_to, oldest_at from ${schema}.numbering n;
      -- Sequences do not come along with rows that are replicated by a publication. Then nothing is
      -- known of where new events stand, and every cursor begins anew.
      if handed_out < newest then
        perform setval(sequence, newest);
        select newest, min(coalesce(o.appended_at, '-infinity')) into mixed_to, oldest_at
          from ${schema}.outbox o;
      end if;

      with places as materialized (
        select c.consumer, c.slot, case when handed_out < newest then 0 else least(
            greatest(c.floor, c.seq),
            coalesce((
              select min(o.seq) - 1 from ${schema}.outbox o
                where o.slot = c.slot and ${schema}.is_ahead(o.xid, o.seq, c)
            ), 9223372036854775807)) end as passed
          from ${schema}.cursors c
      )
      update ${schema}.cursors c
        set floor = p.passed, seq = p.passed, from_snapshot = '1:1:', to_snapshot = null,
          epoch = c.epoch + 1, relay = null, lease_until = null, leased_in = null
        from places p where p.consumer = c.consumer and p.slot = c.slot;
      get diagnostics rebased = row_count;
      delete from ${schema}.relays;
      -- Or it would not be seen before the numbers of this server have come so far.
      update ${schema}.outbox set xid = '3' where xid >= pg_snapshot_xmax(present);
      delete from ${schema}.numbering;
      insert into ${schema}.numbering (system, mixed_to, oldest_at)
        values (${schema}.system_identifier(), mixed_to, oldest_at);
      return rebased::text;
    end $$`
}
