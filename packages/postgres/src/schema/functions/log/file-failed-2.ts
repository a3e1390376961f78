import { sameKey } from '../expressions/key-hash.ts'
import { refuseDropped } from '../expressions/must-be-written.ts'
import { TRIED } from '../expressions/tried.ts'

/**
 * Files the failed deliveries of the slots whose cursors moved, and raises if one was not written.
 * A delivery that waits behind another one of its ordering key has not been attempted. The cursor
 * is locked, so while this runs no verdict about that other one can be recorded.
 *
 * It replaces an earlier function of the same name, because both mean the same to `advance_2`,
 * which moves cursors past what is filed here.
 */
export function fileFailed2(schema: string): string {
  return `create or replace function ${schema}.file_failed_2(in_consumer text, in_slots smallint[], in_failed json)
  returns void language plpgsql volatile set enable_seqscan = off set jit = off as $$
  declare
    failed record;
    filed bigint;
    tries integer;
  begin
    for failed in
      select * from json_to_recordset(in_failed) as f (slot smallint, seq bigint, id text, type text,
          source text, subject text, ordering_key text, data text, headers jsonb,
          occurred_at bigint, state text, reason text, delay_ms bigint, ${TRIED})
        where f.slot = any(in_slots)
    loop
      tries := case when failed.started_at is null then 0 else 1 end;
      insert into ${schema}.deliveries as d (consumer, slot, seq, event_id, type, source, subject,
          ordering_key, data, headers, occurred_at, state, reason, attempts, starts, due_at, dead_at,
          error_name, error_message, error_code, fingerprint)
        values (in_consumer, failed.slot, failed.seq, failed.id, failed.type, failed.source,
          failed.subject, failed.ordering_key, failed.data::json, failed.headers,
          to_timestamp(failed.occurred_at / 1000.0), failed.state, failed.reason, tries, tries,
          case when tries = 0 and failed.state = 'retrying' and exists (
              select from ${schema}.deliveries b
                where b.consumer = in_consumer and b.slot = failed.slot
                  and ${sameKey('b.ordering_key', 'failed.ordering_key')}
                  and b.state = 'retrying'
                  and b.seq < failed.seq)
            then 'infinity'
            else clock_timestamp() + failed.delay_ms * interval '1 millisecond' end,
          case when failed.state = 'dead' then clock_timestamp() end,
          failed.name, failed.message, failed.code, failed.fingerprint)
        on conflict on constraint deliveries_once do nothing
        returning d.id into filed;
      if filed is null then
        perform from ${schema}.deliveries d
          where d.consumer = in_consumer and d.event_id = failed.id and d.generation = 0;
        ${refuseDropped('deliveries')}
      end if;
      if filed is not null and tries = 1 then
        insert into ${schema}.delivery_attempts values (filed, 1,
          to_timestamp(failed.started_at / 1000.0), failed.duration_ms, failed.name, failed.message,
          failed.code, failed.stack, failed.fingerprint);
      end if;
    end loop;
  end $$`
}
