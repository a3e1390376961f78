import { sameKey } from '../../functions/expressions/key-hash.ts'
import { TRIED } from '../../functions/expressions/tried.ts'

/**
 * Records the verdicts of deliveries. When a delivery is done or dead, the first delivery of its
 * ordering key that waits behind it becomes due.
 */
export function settle2(schema: string): string {
  return `create function ${schema}.settle_2(in_consumer text, in_held json, in_settled json)
  returns text language plpgsql volatile set enable_seqscan = off as $$
  declare
    mine smallint[];
    it record;
    was ${schema}.deliveries;
  begin
    select coalesce(array_agg(l.slot), '{}') into mine from (
      select c.slot
        from ${schema}.cursors c
        join json_to_recordset(in_held) as h (slot smallint, epoch bigint)
          on c.consumer = in_consumer and c.slot = h.slot and c.epoch = h.epoch
        order by c.slot
        for share of c
    ) l;
    for it in
      select * from json_to_recordset(in_settled) as s (delivery bigint, slot smallint, state text,
          reason text, delay_ms bigint, ${TRIED})
        where s.slot = any(mine)
    loop
      was := null;
      if it.state = 'done' then
        update ${schema}.deliveries d
          set state = 'resolved', resolution = 'redriven', resolved_at = clock_timestamp(),
            starts = d.attempts
          where d.id = it.delivery and d.state = 'retrying' and d.redrives > 0
          returning * into was;
        if not found then
          delete from ${schema}.deliveries d where d.id = it.delivery and d.state = 'retrying'
            returning * into was;
        end if;
      else
        update ${schema}.deliveries d
          set state = it.state, reason = it.reason,
            attempts = d.attempts + case when it.started_at is null then 0 else 1 end,
            starts = d.attempts + case when it.started_at is null then 0 else 1 end,
            due_at = clock_timestamp() + it.delay_ms * interval '1 millisecond',
            dead_at = case when it.state = 'dead' then clock_timestamp() end,
            error_name = coalesce(it.name, d.error_name),
            error_message = coalesce(it.message, d.error_message),
            error_code = case when it.name is null then d.error_code else it.code end,
            fingerprint = coalesce(it.fingerprint, d.fingerprint)
          where d.id = it.delivery and d.state = 'retrying'
          returning * into was;
        if found and it.started_at is not null then
          insert into ${schema}.delivery_attempts
            select it.delivery, coalesce(max(a.number), 0) + 1,
                to_timestamp(it.started_at / 1000.0), it.duration_ms, it.name, it.message, it.code,
                it.stack, it.fingerprint
              from ${schema}.delivery_attempts a where a.delivery = it.delivery;
        end if;
      end if;
      if it.state <> 'retrying' then
        update ${schema}.deliveries d set due_at = clock_timestamp()
          where d.due_at = 'infinity' and d.id = (
            select b.id from ${schema}.deliveries b
              where b.consumer = in_consumer and b.slot = it.slot
                and ${sameKey('b.ordering_key', 'was.ordering_key')}
                and b.state = 'retrying'
              order by b.seq limit 1);
      end if;
    end loop;
    return (
      select coalesce(json_agg(h.slot), '[]')::text
        from json_to_recordset(in_held) as h (slot smallint) where h.slot <> all(mine)
    );
  end $$`
}
