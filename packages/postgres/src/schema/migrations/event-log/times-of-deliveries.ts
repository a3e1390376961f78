import { deliveryTimes } from '../../functions/log/delivery-times.ts'

/** Repairs the times of retries after the clock was put back. */
export function timesOfDeliveries(schema: string): string[] {
  return [
    `alter table ${schema}.deliveries add column timed_at timestamptz not null default now()`,
    `comment on column ${schema}.deliveries.timed_at is
      'When due_at was set. In the future: the clock was put back since.'`,
    ...deliveryTimes(schema),
  ]
}
