import type { Statement } from '../../sql-client.ts'
import { type DeliveryRow, deliveryColumns } from './delivery-columns.ts'

/** A delivery with its event and, as JSON, every attempt. */
export function findDelivery(schema: string, id: string): Statement<DeliveryDetailRow> {
  return {
    name: 'find_delivery',
    text: `
      select ${deliveryColumns}, d.source, d.data::text, d.headers::text,
          (select coalesce(json_agg(json_build_object('number', a.number,
              'started_at', (extract(epoch from a.started_at) * 1000)::bigint,
              'duration_ms', a.duration_ms, 'name', a.name, 'message', a.message, 'code', a.code,
              'stack', a.stack, 'fingerprint', a.fingerprint) order by a.number), '[]')
            from ${schema}.delivery_attempts a where a.delivery = d.id)::text as history
        from ${schema}.deliveries d where d.id = $1::bigint`,
    values: [id],
  }
}

export interface DeliveryDetailRow extends DeliveryRow {
  readonly source: string
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
