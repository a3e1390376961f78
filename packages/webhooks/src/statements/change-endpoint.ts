import type { Statement } from '@oncekey/postgres/client'
import { type EndpointRow, endpointJson } from './endpoint-row.ts'

/** Changes what is given of an endpoint. One that leads elsewhere starts with a clean slate. */
export function changeEndpoint(
  schema: string,
  id: string,
  changes: {
    readonly url: string | null
    readonly types: readonly string[] | null
    readonly description: string | null
  },
): Statement<EndpointRow> {
  const { url, types, description } = changes
  return {
    name: 'change_endpoint',
    text: `
      update ${schema}.webhook_endpoints e
        set url = coalesce($2::text, e.url),
          types = case when $3::json is null then e.types
            else array(select json_array_elements_text($3::json)) end,
          description = coalesce($4::text, e.description),
          failures = case when $2::text <> e.url then 0 else e.failures end,
          failing_since = case when $2::text <> e.url then null else e.failing_since end,
          failed_attempts = case when $2::text <> e.url then 0 else e.failed_attempts end,
          failed_events = case when $2::text <> e.url then 0 else e.failed_events end,
          warned = case when $2::text <> e.url then 0 else e.warned end,
          blocked_until = case when $2::text <> e.url then null else e.blocked_until end,
          changed_at = now()
        where e.id = $1::uuid and e.status <> 'deleted'
        returning ${endpointJson('e')}`,
    values: [id, url, types && JSON.stringify(types), description],
  }
}
