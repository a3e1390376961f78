import type { Statement } from '@oncekey/postgres/client'

export interface FanOutMessage {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly headers: Readonly<Record<string, string>>
  /** Null if endpoints have no customers. */
  readonly customer: string | null
  /** Every pattern that covers this type: `order.created`, `order.*`, `*`. */
  readonly patterns: readonly string[]
  readonly body: string
  readonly occurredAt: string
}

/**
 * Inserts messages and, for each, a delivery to every endpoint that wants it. That includes paused
 * and disabled endpoints, which get it when they are enabled again. A message that already exists
 * was fanned out before and gets no new deliveries, except for another customer: then another
 * fan-out sends the same event to another customer.
 */
export function fanOut(
  schema: string,
  messages: readonly FanOutMessage[],
): Statement<{ count: string }> {
  return {
    name: 'fan_out',
    text: `
      with events as materialized (
        select * from json_to_recordset($1::json) as (
          id uuid, type text, source text, subject text, headers json, customer text,
          patterns text[], body text, "occurredAt" timestamptz
        )
      ), matches as materialized (
        select v.id, e.id as endpoint_id
          from events v join ${schema}.webhook_endpoints e
            on e.customer = v.customer and e.types && v.patterns
          where e.status <> 'deleted'
        union all
        select v.id, e.id
          from events v join ${schema}.webhook_endpoints e
            on e.customer is null and v.customer is null and e.types && v.patterns
          where e.status <> 'deleted'
      ), fresh as (
        insert into ${schema}.webhook_messages as m
            (id, type, source, subject, headers, customer, body, occurred_at)
          select id, type, source, subject, headers, customer, convert_to(body, 'UTF8'), "occurredAt"
            from events where id in (select id from matches)
          on conflict (id) do update set type = excluded.type
            where m.customer is distinct from excluded.customer
          returning m.id
      ), made as (
        insert into ${schema}.webhook_deliveries (message_id, endpoint_id)
          select m.id, m.endpoint_id from matches m join fresh f on f.id = m.id
          on conflict on constraint webhook_deliveries_once do nothing
          returning 1
      )
      select count(*)::text as count from made`,
    values: [JSON.stringify(messages)],
  }
}
