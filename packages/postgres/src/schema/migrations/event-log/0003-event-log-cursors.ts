/**
 * Functions that take, move and release the cursors of consumers. Every write is fenced by the
 * epoch.
 */
export function eventLogCursors(schema: string): string[] {
  const held = (name: string): string =>
    `json_to_recordset(${name}) as h (slot smallint, epoch bigint)`

  return [
    // Gives a new consumer its cursors. A consumer that was abandoned again keeps events from being
    // deleted.
    `create function ${schema}.subscribe(in_consumer text, in_now boolean) returns void
    language plpgsql volatile as $$
    declare
      start record;
    begin
      -- Before anything is written, and in one snapshot.
      select ${schema}.present_snapshot() as present, coalesce(max(o.seq), 0) as newest into start
        from ${schema}.outbox o;
      insert into ${schema}.consumers as c (name) values (in_consumer)
        on conflict on constraint consumers_pkey
        do update set seen_at = now(), abandoned_at = null;
      insert into ${schema}.cursors (consumer, slot, from_snapshot, floor, seq)
        select in_consumer, s,
            case when in_now then start.present else '1:1:' end,
            case when in_now then start.newest else 0 end,
            0
          from generate_series(0, 63) s
        on conflict on constraint cursors_pkey do nothing;
    end $$`,

    // Renews a relay's leases, returns which slots it has lost, and takes its fair share of the
    // free ones.
    `create function ${schema}.lease_slots(in_consumer text, in_relay text, in_lease_ms integer,
      in_held json)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      lease interval := in_lease_ms * interval '1 millisecond';
      others integer;
      fair integer;
      kept smallint[];
      lost json;
      taken json := '[]';
      newest xid8;
    begin
      update ${schema}.consumers set seen_at = now(), abandoned_at = null
        where name = in_consumer
          and (seen_at < now() - interval '10 seconds' or abandoned_at is not null);
      insert into ${schema}.relays (consumer, relay, until)
        values (in_consumer, in_relay, now() + lease)
        on conflict on constraint relays_pkey do update set until = now() + lease;
      delete from ${schema}.relays where consumer = in_consumer and until < now();
      select count(*) into others from ${schema}.relays where consumer = in_consumer;
      fair := ceil(64.0 / greatest(others, 1));

      select max(xid) into newest from ${schema}.outbox;
      if newest >= pg_snapshot_xmax(pg_current_snapshot()) then
        raise exception 'the events are from another life of this database' using errcode = 'OK003';
      end if;

      with renewed as (
        update ${schema}.cursors c set lease_until = now() + lease
          from ${held('in_held')}
          where c.consumer = in_consumer and c.slot = h.slot and c.epoch = h.epoch
            and c.relay = in_relay
          returning c.slot
      )
      select coalesce(array_agg(r.slot), '{}') into kept from renewed r;
      select coalesce(json_agg(h.slot), '[]') into lost
        from ${held('in_held')} where h.slot <> all(kept);

      if cardinality(kept) < fair then
        with free as materialized (
          select c.slot from ${schema}.cursors c
            where c.consumer = in_consumer and (c.relay is null or c.lease_until < now())
            order by c.slot
            limit fair - cardinality(kept)
            for no key update skip locked
        ), taking as (
          update ${schema}.cursors c
            set crashes = case when c.relay is null then c.crashes else c.crashes + 1 end,
              relay = in_relay, lease_until = now() + lease, epoch = c.epoch + 1
            where c.consumer = in_consumer and c.slot = any(array(select free.slot from free))
            returning c.slot, c.epoch::text as epoch, c.crashes, c.from_snapshot::text as f,
              c.to_snapshot::text as t, c.floor::text as o, c.seq::text as s
        )
        select coalesce(json_agg(got), '[]') into taken from taking got;
      end if;
      return json_build_object('share', fair, 'relays', others, 'lost', lost, 'taken', taken)::text;
    end $$`,

    // Releases the slots of a relay that stops, so that the shares of the others grow at once.
    `create function ${schema}.release_slots(in_consumer text, in_relay text, in_held json,
      in_leaving boolean)
    returns void language plpgsql volatile set enable_seqscan = off as $$
    begin
      update ${schema}.cursors c set relay = null, lease_until = null
        from ${held('in_held')}
        where c.consumer = in_consumer and c.slot = h.slot and c.epoch = h.epoch;
      if in_leaving then
        delete from ${schema}.relays where consumer = in_consumer and relay = in_relay;
      end if;
    end $$`,

    // Moves cursors and files failed events, slot by slot. If a cursor has another epoch, or is
    // already further on, it is not moved and no event of its slot is filed.
    `create function ${schema}.advance(in_consumer text, in_moves json, in_failed json)
    returns text language plpgsql volatile set enable_seqscan = off as $$
    declare
      moved smallint[];
    begin
      with moving as (
        update ${schema}.cursors c
          set from_snapshot = m.f, to_snapshot = m.t, floor = m.o, seq = m.s,
            crashes = case when m.calm then 0 else c.crashes end
          from json_to_recordset(in_moves) as m (slot smallint, epoch bigint, f pg_snapshot,
            t pg_snapshot, o bigint, s bigint, calm boolean)
          where c.consumer = in_consumer and c.slot = m.slot and c.epoch = m.epoch
            and pg_snapshot_xmax(m.f) >= pg_snapshot_xmax(c.from_snapshot)
            and (pg_snapshot_xmax(m.f) > pg_snapshot_xmax(c.from_snapshot)
              or c.to_snapshot is null or m.s >= c.seq)
          returning c.slot
      )
      select coalesce(array_agg(m.slot), '{}') into moved from moving m;
      if in_failed is not null then
        perform ${schema}.file_failed(in_consumer, moved, in_failed);
      end if;
      return (
        select coalesce(json_agg(m.slot), '[]')::text
          from json_to_recordset(in_moves) as m (slot smallint) where m.slot <> all(moved)
      );
    end $$`,

    // Counts on the cursor one more start of an event that may have killed a process.
    `create function ${schema}.suspect(in_consumer text, in_slot smallint, in_epoch bigint,
      in_event text)
    returns table (starts text) language sql volatile as $$
      update ${schema}.cursors c
        set starts = case when c.suspect = in_event then c.starts + 1 else 1 end,
          suspect = in_event
        where c.consumer = in_consumer and c.slot = in_slot and c.epoch = in_epoch
        returning c.starts::text
    $$`,

    // Repairs all cursors of a database that was restored from a dump. Such a server numbers
    // transactions anew, and the ids in the rows may be ahead of all that it will hand out. So each
    // cursor is set by the events' own numbers, to a place below everything it had not passed; some
    // of what it had passed may be above that place, too. All cursors are repaired at once, because
    // afterwards the old ids are gone from the rows.
    `create function ${schema}.rebase() returns text
    language plpgsql volatile set enable_seqscan = off as $$
    declare
      life xid8 := pg_snapshot_xmax(${schema}.present_snapshot());
      rebased integer := 0;
    begin
      lock table ${schema}.cursors in exclusive mode;
      if not exists (select from ${schema}.cursors c where pg_snapshot_xmax(c.from_snapshot) > life)
        and not exists (select from ${schema}.outbox o where o.xid >= life) then
        return '0';
      end if;
      with places as materialized (
        select c.consumer, c.slot, least(
            greatest(c.floor, coalesce((select max(o.seq) from ${schema}.outbox o), 0)),
            coalesce((
              select min(o.seq) - 1 from ${schema}.outbox o
                where o.slot = c.slot and ${schema}.is_ahead(o.xid, o.seq, c)
            ), 9223372036854775807)) as passed
          from ${schema}.cursors c
      )
      update ${schema}.cursors c
        set floor = p.passed, seq = p.passed, from_snapshot = '1:1:', to_snapshot = null,
          epoch = c.epoch + 1, relay = null, lease_until = null
        from places p where p.consumer = c.consumer and p.slot = c.slot;
      get diagnostics rebased = row_count;
      delete from ${schema}.relays;
      update ${schema}.outbox set xid = '3' where xid >= life;
      return rebased::text;
    end $$`,
  ]
}
