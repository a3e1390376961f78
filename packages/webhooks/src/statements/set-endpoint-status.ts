import type { Statement } from '@oncekey/postgres/client'
import { type EndpointRow, endpointJson } from './endpoint-row.ts'

/**
 * Pauses, disables, enables or deletes an endpoint; one that was deleted stays so, and keeps nothing
 * secret. One that is enabled starts with a clean slate: no failures, nothing to wait for.
 */
export function setEndpointStatus(
  schema: string,
  id: string,
  status: 'enabled' | 'paused' | 'disabled' | 'deleted',
  reason: string | null,
): Statement<EndpointRow> {
  return {
    name: 'set_endpoint_status',
    text: `
      update ${schema}.webhook_endpoints e
        set status = $2::text, reason = $3::text, changed_at = now(),
          headers = case when $2::text = 'deleted' then null else e.headers end,
          tls = case when $2::text = 'deleted' then null else e.tls end,
          failing_since = case when $2::text = 'enabled' then null else e.failing_since end,
          warned = case when $2::text = 'enabled' then 0 else e.warned end,
          failures = case when $2::text = 'enabled' then 0 else e.failures end,
          failed_attempts = case when $2::text = 'enabled' then 0 else e.failed_attempts end,
          failed_events = case when $2::text = 'enabled' then 0 else e.failed_events end,
          blocked_until = case when $2::text = 'enabled' then null else e.blocked_until end
        where e.id = $1::uuid and e.status <> 'deleted'
        returning ${endpointJson('e')}`,
    values: [id, status, reason],
  }
}
