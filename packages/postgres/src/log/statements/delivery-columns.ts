/** A delivery as text columns, of a table called `d`. */
export const deliveryColumns: string = `d.id::text, d.consumer, d.state, d.event_id, d.type, d.subject, d.reason,
        d.error_name, d.error_message, d.error_code, d.fingerprint, d.attempts::text,
        d.redrives::text, ${milliseconds('d.occurred_at')} as occurred_at,
        ${milliseconds('d.first_failed_at')} as first_failed_at,
        ${milliseconds('d.dead_at')} as dead_at, d.resolution, d.note`

export interface DeliveryRow {
  readonly id: string
  readonly consumer: string
  readonly state: 'dead' | 'retrying' | 'resolved'
  readonly event_id: string
  readonly type: string
  readonly subject: string | null
  readonly reason: string | null
  readonly error_name: string | null
  readonly error_message: string | null
  readonly error_code: string | null
  readonly fingerprint: string | null
  readonly attempts: string
  readonly redrives: string
  readonly occurred_at: string
  readonly first_failed_at: string
  readonly dead_at: string | null
  readonly resolution: string | null
  readonly note: string | null
}

/** A time as milliseconds since 1970, whatever DateStyle says. */
export function milliseconds(column: string): string {
  return `(extract(epoch from ${column}) * 1000)::bigint::text`
}
