import { settleDeliveries } from '../schema/functions/settle-deliveries.ts'

/** Endpoints are disabled by attempts and events, not by time alone. */
export function failuresOfEndpoints(schema: string): string[] {
  return [
    // Since 'failing_since': how many attempts failed, and of how many events.
    `alter table ${schema}.webhook_endpoints
      add column failed_attempts integer not null default 0,
      add column failed_events integer not null default 0`,
    settleDeliveries(schema),
  ]
}
