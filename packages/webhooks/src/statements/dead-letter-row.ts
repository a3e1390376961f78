/** A dead letter as statements return it, in JSON: `d` is the delivery, `m` its message, `a` its last attempt. */
export function deadLetterJson(schema: string): string {
  return `json_build_object('id', d.id::text, 'origin', d.endpoint_id,
    'state', d.state, 'eventId', d.message_id, 'type', m.type, 'subject', m.subject,
    'reason', d.reason, 'error', d.error, 'status', a.status, 'message', a.message,
    'body', encode(substring(a.body for 200), 'base64'), 'attempts', d.attempts,
    'redrives', d.redrives, 'occurredAt', m.occurred_at,
    'firstFailedAt', coalesce((
      select min(f.started_at) from ${schema}.webhook_attempts f where f.delivery_id = d.id
    ), d.died_at),
    'deadAt', d.died_at, 'note', d.note)::text as letter`
}

export interface DeadLetterRow {
  /** {@link DeadLetterJson}. */
  readonly letter: string
}

export interface DeadLetterJson {
  readonly id: string
  readonly origin: string
  readonly state: 'pending' | 'delivered' | 'dead' | 'discarded' | 'ended'
  readonly eventId: string
  readonly type: string
  readonly subject: string | null
  readonly reason: string | null
  readonly error: string | null
  readonly status: number | null
  readonly message: string | null
  readonly body: string | null
  readonly attempts: number
  readonly redrives: number
  readonly occurredAt: string
  readonly firstFailedAt: string
  readonly deadAt: string
  readonly note: string | null
}

/** Where such a row is read from. */
export function deadLetterTables(schema: string): string {
  return `${schema}.webhook_deliveries d
        join ${schema}.webhook_messages m on m.id = d.message_id
        left join lateral (
          select a.status, a.message, a.body from ${schema}.webhook_attempts a
            where a.delivery_id = d.id order by a.number desc limit 1
        ) a on true`
}
