import { refuseDropped } from '@oncekey/postgres/client'

/**
 * `webhook_made_for_one` and `webhook_withheld` are triggers that note in a message what its
 * deliveries say about it, because deliveries are purged before their message, and a replay reads
 * messages: for which one endpoint an edited dead letter was made, and whose customer it concerns;
 * and to which endpoints it must not be sent, because it was discarded or replaced there. The
 * latter is noted when that happens and not when the delivery is purged: a replay under way has
 * looked before. They are triggers because earlier releases edit and discard without noting it.
 */
export function markMessages(schema: string): string[] {
  // A restore of the data alone may bring deliveries before their messages.
  const refuse = refuseDropped(
    'webhook_messages',
    `not found and exists (
          select from ${schema}.webhook_messages m where m.id = new.message_id)`,
  )
  return [
    `create function ${schema}.webhook_made_for_one() returns trigger
      language plpgsql set jit = off as $$
      begin
        update ${schema}.webhook_messages m
          set only_for = new.endpoint_id, customer = (
            select e.customer from ${schema}.webhook_endpoints e where e.id = new.endpoint_id)
          where m.id = new.message_id;
        ${refuse}
        return null;
      end $$`,
    `create trigger webhook_made_for_one after insert
      on ${schema}.webhook_deliveries
      for each row when (new.replaces is not null)
      execute function ${schema}.webhook_made_for_one()`,
    `create function ${schema}.webhook_withheld() returns trigger
      language plpgsql set jit = off as $$
      begin
        update ${schema}.webhook_messages m
          set withheld_from = array_append(m.withheld_from, new.endpoint_id)
          where m.id = new.message_id;
        ${refuse}
        return null;
      end $$`,
    `create trigger webhook_withheld after update of state
      on ${schema}.webhook_deliveries
      for each row when (new.state = 'discarded')
      execute function ${schema}.webhook_withheld()`,
  ]
}

/**
 * Notes the same of what was edited and discarded before these triggers were there, from the audit.
 */
export function markEarlierMessages(schema: string): string[] {
  const ofWebhooks = (act: string) => `o.act ${act} and o.target like '["dead-letter","webhooks",%'`
  return [
    `with made as materialized (
        select (o.detail->>'newEventId')::uuid as message, (o.detail->>'origin')::uuid as endpoint
          from ${schema}.operations o
          where ${ofWebhooks("= 'dead-letters.edit-and-redrive'")}
      )
      update ${schema}.webhook_messages m
        set only_for = made.endpoint, customer = (
          select e.customer from ${schema}.webhook_endpoints e where e.id = made.endpoint)
        from made where m.id = made.message`,
    `with ended as materialized (
        select (o.detail->>'eventId')::uuid as message,
            array_agg((o.detail->>'origin')::uuid) as endpoints
          from ${schema}.operations o
          where ${ofWebhooks("in ('dead-letters.discard', 'dead-letters.edit-and-redrive')")}
          group by 1
      )
      update ${schema}.webhook_messages m set withheld_from = ended.endpoints
        from ended where m.id = ended.message`,
  ]
}
