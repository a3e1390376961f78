import type { Statement } from '@oncekey/postgres/client'
import type { StoredWays } from '../endpoint-ways.ts'
import type { StoredSecret } from './claim-deliveries.ts'
import { type EndpointRow, endpointJson } from './endpoint-row.ts'

/** A new endpoint and its first secret. */
export function insertEndpoint(
  schema: string,
  endpoint: {
    readonly id: string
    readonly customer: string | null
    readonly url: string
    readonly types: readonly string[]
    readonly description: string
    readonly secret: StoredSecret
    readonly ways: StoredWays
  },
): Statement<EndpointRow> {
  const { id, customer, url, types, description, secret, ways } = endpoint
  return {
    name: 'insert_endpoint',
    text: `
      with e as (
        insert into ${schema}.webhook_endpoints (id, customer, url, types, description, headers, tls,
            rate)
          values ($1::uuid, $2::text, $3::text,
            array(select json_array_elements_text($4::json)), $5::text,
            $8::json, $9::json, $10::double precision)
          returning *
      ), s as (
        insert into ${schema}.webhook_secrets (endpoint_id, secret, seal)
          select e.id, $6::text, $7::text from e
      )
      select ${endpointJson('e')} from e`,
    values: [
      id,
      customer,
      url,
      JSON.stringify(types),
      description,
      secret.secret,
      secret.seal,
      ways.headers ? JSON.stringify(ways.headers) : null,
      ways.tls ? JSON.stringify(ways.tls) : null,
      ways.rate ?? null,
    ],
  }
}
