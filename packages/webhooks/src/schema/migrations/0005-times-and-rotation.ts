import { whenTimesWereSet } from '../functions/webhook-times.ts'
import { rotateWebhookSecret } from '../superseded/rotate-webhook-secret.ts'

/**
 * Times are repaired after the clock was put back. Two concurrent rotations of a secret both count.
 */
export function timesAndRotation(schema: string): string[] {
  return [
    `alter table ${schema}.webhook_deliveries
      add column timed_at timestamptz not null default now()`,
    `alter table ${schema}.webhook_endpoints
      add column timed_at timestamptz not null default now()`,
    ...whenTimesWereSet(schema),
    rotateWebhookSecret(schema),
  ]
}
