import type { Statement } from '@oncekey/postgres/client'
import { type DeliveryRow, deliveryJson } from './delivery-row.ts'

/** The newest first. */
export function listDeliveries(
  schema: string,
  filter: {
    readonly endpointId: string | null
    readonly eventId: string | null
    readonly state: string | null
    readonly customer: string | null
    readonly before: string | null
    readonly limit: number
  },
): Statement<DeliveryRow> {
  const { endpointId, eventId, state, customer, before, limit } = filter
  return {
    name: 'list_deliveries',
    text: `
      select ${deliveryJson}
        from ${schema}.webhook_deliveries d
        join ${schema}.webhook_messages m on m.id = d.message_id
        where ($1::uuid is null or d.endpoint_id = $1::uuid)
          and ($2::uuid is null or d.message_id = $2::uuid)
          and ($3::text is null or d.state = $3::text)
          and ($4::bigint is null or d.id < $4::bigint)
          and ($6::text is null or exists (
            select from ${schema}.webhook_endpoints e
              where e.id = d.endpoint_id and e.customer = $6::text))
        order by d.id desc
        limit $5::integer`,
    values: [endpointId, eventId, state, before, limit, customer],
  }
}
