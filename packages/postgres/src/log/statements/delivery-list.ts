import type { RetryingFilter } from '@oncekey/core'
import type { Statement } from '../../sql/sql-client.ts'
import { isForgotten } from './dead-letter-filter.ts'

/** The columns of a delivery as text; the table is called `d`. */
export const deliveryColumns: string = `d.id::text, d.consumer, d.state, d.event_id, d.type, d.subject, d.reason,
        d.error_name, d.error_message, d.error_code, d.fingerprint, d.attempts::text,
        d.redrives::text, ${milliseconds('d.occurred_at')} as occurred_at,
        ${milliseconds('d.first_failed_at')} as first_failed_at,
        ${milliseconds('d.dead_at')} as dead_at, d.resolution, d.note,
        case when d.state = 'retrying' and isfinite(d.due_at) then ${milliseconds('d.due_at')} end
          as due_at`

export interface DeliveryRow {
  readonly id: string
  readonly consumer: string
  readonly state: 'dead' | 'retrying' | 'resolved' | 'retired'
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
  readonly due_at: string | null
}

/** A time as milliseconds since 1970, whatever DateStyle is set to. */
export function milliseconds(column: string): string {
  return `(extract(epoch from ${column}) * 1000)::bigint::text`
}

/** Reads a delivery with its event and, as JSON, every attempt. */
export function findDelivery(schema: string): (id: string) => Statement<DeliveryDetailRow> {
  return (id) => ({
    name: 'find_delivery',
    text: `
      select ${deliveryColumns}, d.source, d.data::text, d.headers::text,
          d.replaces::text as replaces, d.replaced_by::text as replaced_by,
          (select coalesce(json_agg(json_build_object('number', a.number,
              'started_at', (extract(epoch from a.started_at) * 1000)::bigint,
              'duration_ms', a.duration_ms, 'name', a.name, 'message', a.message, 'code', a.code,
              'stack', a.stack, 'fingerprint', a.fingerprint) order by a.number), '[]')
            from ${schema}.delivery_attempts a where a.delivery = d.id)::text as history
        from ${schema}.deliveries d where d.id = $1::bigint`,
    values: [id],
    cancellable: true,
  })
}

export interface DeliveryDetailRow extends DeliveryRow {
  readonly source: string
  readonly replaces: string | null
  readonly replaced_by: string | null
  readonly data: string
  readonly headers: string
  /** A list of {@link AttemptJson}. */
  readonly history: string
}

export interface AttemptJson {
  readonly number: number
  readonly started_at: number
  readonly duration_ms: number
  readonly name: string
  readonly message: string
  readonly code: string | null
  readonly stack: string | null
  readonly fingerprint: string
}

/** Reads the states of deliveries. */
export function deliveryStates(
  schema: string,
): (ids: readonly string[]) => Statement<{ id: string; state: string; resolution: string | null }> {
  return (ids) => ({
    name: 'delivery_states',
    text: `
      select d.id::text, d.resolution,
          case when d.state = 'dead' and ${isForgotten(schema)} then 'retired'
            else d.state end as state
        from ${schema}.deliveries d where d.id = any($1::bigint[])`,
    values: [`{${ids.join(',')}}`],
    cancellable: true,
  })
}

/** Where a page of retrying deliveries ended; the time is in microseconds, or `infinity`. */
export type RetryingCursor = readonly [consumer: string, slot: string, dueAt: string, id: string]

/**
 * A row, where a page that ends with it would end, and whether the row matches the filter. Rows are
 * filtered in this process, because the index does not cover types and subjects.
 */
export interface RetryingRow extends DeliveryRow {
  readonly slot: string
  readonly due_exact: string
  readonly is_meant: 'true' | 'false'
}

/** Lists retrying deliveries in the order of the index by which relays find them. */
export function listRetrying(
  schema: string,
): (
  filter: RetryingFilter,
  looked: number,
  after: RetryingCursor | undefined,
) => Statement<RetryingRow> {
  return ({ origin, type, subject }, looked, after) => {
    const dueAt = `case when $5::text = 'infinity' then timestamptz 'infinity'
            else timestamptz 'epoch' + $5::bigint * interval '1 microsecond' end`
    return {
      name: 'list_retrying',
      text: `
      select ${deliveryColumns}, d.slot::text as slot,
          case when isfinite(d.due_at) then (extract(epoch from d.due_at) * 1000000)::bigint::text
            else 'infinity' end as due_exact,
          (($2::text is null or d.type = $2::text)
            and ($7::text is null or d.subject = $7::text))::text as is_meant
        from ${schema}.deliveries d
        where d.state = 'retrying' and ($1::text is null or d.consumer = $1::text)
          and ($3::text is null
            or (d.consumer, d.slot, d.due_at, d.id)
              > ($3::text, $4::smallint, ${dueAt}, $6::bigint))
        order by d.consumer, d.slot, d.due_at, d.id
        limit $8::integer`,
      values: [
        origin ?? null,
        type ?? null,
        after?.[0] ?? null,
        after?.[1] ?? null,
        after?.[2] ?? null,
        after?.[3] ?? null,
        subject ?? null,
        looked,
      ],
      cancellable: true,
    }
  }
}
