import { settleDeliveries } from '../superseded/settle-webhooks-2.ts'

/** Endpoints are disabled after enough failed attempts and events, not after a time alone. */
export function failuresOfEndpoints(schema: string): string[] {
  return [
    // How many attempts failed since 'failing_since', and of how many events.
    `alter table ${schema}.webhook_endpoints
      add column failed_attempts integer not null default 0,
      add column failed_events integer not null default 0`,
    settleDeliveries(schema),
  ]
}
