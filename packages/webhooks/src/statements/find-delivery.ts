import type { Statement } from '@oncekey/postgres/client'
import { deliveryJson } from './delivery-row.ts'

/** A delivery with what is sent and every attempt that ended, the first of them first. */
export function findDelivery(
  schema: string,
  id: string,
): Statement<{ delivery: string; body: string; attempts: string | null }> {
  return {
    name: 'find_delivery',
    text: `
      select ${deliveryJson}, convert_from(m.body, 'UTF8') as body, (
          select json_agg(json_build_object('number', a.number, 'startedAt', a.started_at,
              'durationMs', a.duration_ms, 'status', a.status, 'error', a.error,
              'message', a.message, 'body', encode(a.body, 'base64'),
              'isTruncated', a.truncated) order by a.number)::text
            from ${schema}.webhook_attempts a where a.delivery_id = d.id
        ) as attempts
        from ${schema}.webhook_deliveries d
        join ${schema}.webhook_messages m on m.id = d.message_id
        where d.id = $1::bigint`,
    values: [id],
  }
}

/** What `attempts` is a list of, in JSON. */
export interface AttemptJson {
  readonly number: number
  readonly startedAt: string
  readonly durationMs: number
  readonly status: number | null
  readonly error: string | null
  readonly message: string | null
  /** In base64. */
  readonly body: string | null
  readonly isTruncated: boolean
}
