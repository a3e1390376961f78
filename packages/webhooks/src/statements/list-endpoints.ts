import type { Statement } from '@oncekey/postgres/client'
import { type EndpointRow, endpointJson } from './endpoint-row.ts'

/** Those that are not deleted, the oldest first: ids are in the order of time. */
export function listEndpoints(
  schema: string,
  filter: {
    readonly customer: string | null
    readonly status: string | null
    /** All that an endpoint can have written to be told of a type. */
    readonly patterns: readonly string[] | null
    readonly after: string | null
    readonly limit: number
  },
): Statement<EndpointRow> {
  const { customer, status, patterns, after, limit } = filter
  return {
    name: 'list_endpoints',
    text: `
      select ${endpointJson('e')} from ${schema}.webhook_endpoints e
        where e.status <> 'deleted'
          and ($1::text is null or e.customer = $1::text)
          and ($2::text is null or e.status = $2::text)
          and ($3::json is null or e.types && array(select json_array_elements_text($3::json)))
          and ($4::uuid is null or e.id > $4::uuid)
        order by e.id
        limit $5::integer`,
    values: [customer, status, patterns && JSON.stringify(patterns), after, limit],
  }
}
