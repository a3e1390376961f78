import { readCommitted } from '@oncekey/postgres/client'

/**
 * `purge_webhook_messages` deletes up to `in_limit` messages that are old enough and have no
 * delivery, and returns how many, and how many it had chosen. A replay that makes a delivery of
 * such a message locks the message before. So the second statement, whose snapshot is newer than
 * the locks of the first, sees every delivery that was made until then, and none is made
 * afterwards. Locked messages are left for the next call.
 */
export function purgeUnsentMessages(schema: string): string {
  return `create function ${schema}.purge_webhook_messages(in_retention_ms bigint,
      in_limit integer, out deleted bigint, out chosen bigint)
    language plpgsql volatile set enable_seqscan = off set jit = off as $$
    declare
      due uuid[];
    begin
      ${readCommitted('a purge of messages')}
      select array_agg(l.id) into due from (
        select m.id from ${schema}.webhook_messages m
          where m.created_at <= now() - in_retention_ms * interval '1 millisecond'
            and not exists (
              select from ${schema}.webhook_deliveries d where d.message_id = m.id
            )
          order by m.created_at
          limit in_limit
          for update skip locked
      ) l;
      delete from ${schema}.webhook_messages m
        where m.id = any(due)
          and not exists (select from ${schema}.webhook_deliveries d where d.message_id = m.id);
      get diagnostics deleted = row_count;
      chosen := coalesce(cardinality(due), 0);
    end $$`
}
