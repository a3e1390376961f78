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
 *
 * `dropped` says whether a message or a delivery is not there afterwards, because a trigger or a
 * rule that somebody put on their tables drops it without an error.
 */
export function fanOut(
  schema: string,
  messages: readonly FanOutMessage[],
): Statement<{ dropped: string }> {
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
          returning message_id as id, endpoint_id
      ), there as (
        select id, endpoint_id from made
        union all
        select d.message_id, d.endpoint_id
          from matches m join ${schema}.webhook_deliveries d
            on d.message_id = m.id and d.endpoint_id = m.endpoint_id
      ), known as (
        select id from fresh
        union all
        select m.id from ${schema}.webhook_messages m where m.id in (select id from matches)
      )
      select (exists (select from matches m where m.id not in (select id from known))
          or exists (
            select from matches m join fresh f on f.id = m.id
              where (m.id, m.endpoint_id) not in (select id, endpoint_id from there)
          ))::text as dropped`,
    values: [JSON.stringify(messages)],
  }
}
