/**
 * Renews a relay's leases, returns which slots it has lost, and takes its fair share of the free
 * slots. A relay's leases are all renewed in one row, that of the relay; the rows of slots are
 * written only when they change hands.
 *
 * A slot is free if no relay has it, or if its relay has not asked for longer than its lease. It is
 * also free for the relay that has it and does not know so, because the reply was lost or the relay
 * has forgotten it. If the relay's share has shrunk and it cannot take such a slot, it releases it:
 * nobody would work on the slot as long as that relay lives.
 *
 * In another life of the server no lease is valid, although the relays are alive. So the first
 * relay that asks there gives every other relay the length of its lease to come back and take its
 * own slots. 'crashes' counts the holders that do not come back.
 *
 * A relay that waits ('in_waiting'), because it gives way to another release of the consumer, keeps
 * the slots it holds, takes none, and is not counted when shares are computed.
 */
export function leaseSlots5(schema: string): string {
  return `create function ${schema}.lease_slots_5(in_consumer text, in_relay text,
      in_lease_ms integer, in_held json, in_waiting boolean)
    returns text language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      here text := ${schema}.name_life();
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
          and (seen_at not between now() - interval '10 seconds' and now() or abandoned_at is not null);
      insert into ${schema}.relays (consumer, relay, until, lease_ms, waiting, asked_in)
        values (in_consumer, in_relay, now() + lease, in_lease_ms, in_waiting, here)
        on conflict on constraint relays_pkey
        do update set until = now() + lease, lease_ms = in_lease_ms, waiting = in_waiting,
          asked_in = here;
      if exists (select from ${schema}.relays r
          where r.consumer = in_consumer and r.asked_in <> here) then
        update ${schema}.relays r
          set until = now() + r.lease_ms * interval '1 millisecond', asked_in = here
          where r.consumer = in_consumer and r.relay = any(array(
            select x.relay from ${schema}.relays x
              where x.consumer = in_consumer and x.asked_in <> here
              for update skip locked));
      end if;
      -- Who is renewing at this moment has its row locked, and stays. A lease that ends later than
      -- its length from now is of a clock that was put back since. 'now()' is when this transaction
      -- began, and a lease that was renewed after that is none of those.
      delete from ${schema}.relays r
        where r.consumer = in_consumer and r.relay = any(array(
          select x.relay from ${schema}.relays x
            where x.consumer = in_consumer and x.relay <> in_relay
              and (x.until < now()
                or x.until > clock_timestamp() + x.lease_ms * interval '1 millisecond')
            for update skip locked));
      select count(*) into others from ${schema}.relays where consumer = in_consumer and not waiting;
      fair := case when in_waiting then 0 else ceil(64.0 / greatest(others, 1)) end;

      -- Numbers that are ahead of this server's are another's, too, where only a part came along.
      select max(xid) into newest from ${schema}.outbox;
      if not ${schema}.numbers_are_ours() or newest >= pg_snapshot_xmax(pg_current_snapshot())
        or exists (select from ${schema}.cursors c where c.consumer = in_consumer
          and pg_snapshot_xmax(c.from_snapshot) > pg_snapshot_xmax(pg_current_snapshot())) then
        raise exception 'the events and cursors have numbers of another server'
          using errcode = 'OK003';
      end if;
      if not ${schema}.numbers_go_on(in_consumer) then
        raise exception 'the numbers of events begin again below those that were passed'
          using errcode = 'OK003';
      end if;

      select coalesce(array_agg(c.slot), '{}') into kept
        from ${schema}.cursors c
        join json_to_recordset(in_held) as h (slot smallint, epoch bigint)
          on c.slot = h.slot and c.epoch = h.epoch
        where c.consumer = in_consumer and c.relay = in_relay;
      select coalesce(json_agg(h.slot), '[]') into lost
        from json_to_recordset(in_held) as h (slot smallint) where h.slot <> all(kept);
      -- Relays of the release before go by the time in the slot.
      if exists (select from ${schema}.relays r
          where r.consumer = in_consumer and r.lease_ms is null) then
        update ${schema}.cursors c set lease_until = now() + lease
          where c.consumer = in_consumer and c.slot = any(kept);
      end if;

      if cardinality(kept) < fair then
        with free as materialized (
          select c.slot, c.epoch from ${schema}.cursors c
            where c.consumer = in_consumer and c.slot <> all(kept)
              and (c.relay is null or c.relay = in_relay
                or not exists (select from ${schema}.relays r
                  where r.consumer = in_consumer and r.relay = c.relay))
        ), locked as materialized (
          -- The epoch once more: whoever took one since may be unknown to the snapshot of 'free'.
          select c.slot from ${schema}.cursors c
            join free f on f.slot = c.slot and f.epoch = c.epoch
            where c.consumer = in_consumer
            order by coalesce(c.relay = in_relay, false) desc, c.slot
            limit fair - cardinality(kept)
            for no key update of c skip locked
        ), taking as (
          update ${schema}.cursors c
            set crashes = c.crashes + case
                when c.relay is null or c.relay = in_relay then 0 else 1 end,
              relay = in_relay, lease_until = now() + lease, epoch = c.epoch + 1, leased_in = here
            where c.consumer = in_consumer and c.slot = any(array(select locked.slot from locked))
            returning c.slot, c.epoch::text as epoch, c.crashes, c.from_snapshot::text as f,
              c.to_snapshot::text as t, c.floor::text as o, c.seq::text as s
        )
        select coalesce(json_agg(got), '[]') into taken from taking got;
      end if;
      update ${schema}.cursors c set relay = null, lease_until = null
        where c.consumer = in_consumer and c.slot = any(array(
          select x.slot from ${schema}.cursors x
            where x.consumer = in_consumer and x.relay = in_relay and x.slot <> all(kept)
              and x.slot <> all(select t.slot from json_to_recordset(taken) as t (slot smallint))
            for no key update skip locked));
      return json_build_object('share', fair, 'relays', others, 'lost', lost, 'taken', taken,
        'life', here)::text;
    end $$`
}
