/**
 * Releases the slots of a relay that stops, so that the shares of the others grow at once. A relay
 * that leaves gives back all that it has, also what it does not know of because a reply was lost:
 * otherwise the next holder would take it for one that died.
 */
export function releaseSlots2(schema: string): string {
  return `create function ${schema}.release_slots_2(in_consumer text, in_relay text, in_held json,
      in_leaving boolean)
    returns void language plpgsql volatile set enable_seqscan = off set jit = off as $$
    begin
      update ${schema}.cursors c set relay = null, lease_until = null
        where c.consumer = in_consumer and c.slot = any(array(
          select x.slot from ${schema}.cursors x
            where x.consumer = in_consumer
              and (in_leaving and x.relay = in_relay
                or exists (select from json_to_recordset(in_held) as h (slot smallint, epoch bigint)
                  where h.slot = x.slot and h.epoch = x.epoch))
            order by x.slot for no key update));
      if in_leaving then
        delete from ${schema}.relays where consumer = in_consumer and relay = in_relay;
      end if;
    end $$`
}
