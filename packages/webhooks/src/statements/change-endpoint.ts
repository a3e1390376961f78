import type { Statement } from '@oncekey/postgres/client'
import type { StoredWays } from '../endpoint-ways.ts'
import { type EndpointRow, endpointJson } from './endpoint-row.ts'

/** Changes what is given of an endpoint. One that leads elsewhere starts with a clean slate. */
export function changeEndpoint(
  schema: string,
  id: string,
  changes: {
    readonly url: string | null
    readonly types: readonly string[] | null
    readonly description: string | null
    readonly ways: StoredWays
  },
): Statement<EndpointRow> {
  const { url, types, description, ways } = changes
  return {
    name: 'change_endpoint',
    text: `
      update ${schema}.webhook_endpoints e
        set url = coalesce($2::text, e.url),
          types = case when $3::json is null then e.types
            else array(select json_array_elements_text($3::json)) end,
          description = coalesce($4::text, e.description),
          headers = case when $5::boolean then $6::json else e.headers end,
          tls = case when $7::boolean then $8::json else e.tls end,
          rate = case when $9::boolean then $10::double precision else e.rate end,
          rate_free_at = case when $9::boolean then null else e.rate_free_at end,
          failures = case when $2::text <> e.url then 0 else e.failures end,
          failing_since = case when $2::text <> e.url then null else e.failing_since end,
          failed_attempts = case when $2::text <> e.url then 0 else e.failed_attempts end,
          failed_events = case when $2::text <> e.url then 0 else e.failed_events end,
          warned = case when $2::text <> e.url then 0 else e.warned end,
          blocked_until = case when $2::text <> e.url then null else e.blocked_until end,
          changed_at = now()
        where e.id = $1::uuid and e.status <> 'deleted'
        returning ${endpointJson('e')}`,
    values: [
      id,
      url,
      types && JSON.stringify(types),
      description,
      String(ways.headers !== undefined),
      ways.headers ? JSON.stringify(ways.headers) : null,
      String(ways.tls !== undefined),
      ways.tls ? JSON.stringify(ways.tls) : null,
      String(ways.rate !== undefined),
      ways.rate ?? null,
    ],
  }
}
