import { auditCall, deadLetterTarget, type Statement } from '@oncekey/postgres/client'

/**
 * Discards a dead delivery, and makes a message of the same event with another body, under another
 * id, with one delivery for the same endpoint that is due at once. The two deliveries name each
 * other. Returns no row where the delivery is not dead, or its endpoint was deleted. Raises if a
 * trigger drops a part of it: the letter would be dead still, and the other delivery under way.
 */
export function replaceDeadLetter(
  schema: string,
  by: {
    readonly id: string
    readonly messageId: string
    readonly body: string
    /** JSON text: the parts in which the new data differs from the old. */
    readonly changes: string
    readonly actor: string | null
    readonly note: string | null
  },
): Statement<{ id: string }> {
  const audit = auditCall(schema, {
    actor: '$4',
    note: '$5',
    act: 'dead-letters.edit-and-redrive',
    target: deadLetterTarget('webhooks', 'done.id'),
    detail: `jsonb_build_object('origin', done.endpoint_id, 'eventId', done.message_id, 'newId',
          made.id::text, 'newEventId', $2::text, 'changes', $6::jsonb)`,
  })
  return {
    name: 'replace_dead_letter',
    text: `
      with was as materialized (
        select d.* from ${schema}.webhook_deliveries d
          where d.id = $1::bigint and d.state = 'dead' and not exists (
            select from ${schema}.webhook_endpoints e
              where e.id = d.endpoint_id and e.status = 'deleted')
          for update of d
      ), message as (
        insert into ${schema}.webhook_messages (id, type, source, subject, headers, customer, body,
            occurred_at)
          select $2::uuid, m.type, m.source, m.subject,
              (m.headers::jsonb || jsonb_build_object('replaces', m.id))::json, m.customer,
              convert_to($3::text, 'UTF8'), m.occurred_at
            from was w join ${schema}.webhook_messages m on m.id = w.message_id
          returning id
      ), made as (
        insert into ${schema}.webhook_deliveries (message_id, endpoint_id, redrives, replaces)
          select message.id, w.endpoint_id, 1, w.id from was w cross join message
          returning id, replaces
      ), done as (
        update ${schema}.webhook_deliveries d
          set state = 'discarded', note = $5::text, ended_at = now(), resolved_at = now(),
            replaced_by = made.id
          from made where d.id = made.replaces
          returning d.id, d.endpoint_id, d.message_id
      )
      select made.id::text as id, ${audit}::text as operation
        from was left join made on true left join done on true
        where ${schema}.webhook_written(case when exists (select from message)
          then 'webhook_deliveries' else 'webhook_messages' end, done.id is not null)`,
    values: [by.id, by.messageId, by.body, by.actor, by.note, by.changes],
  }
}
