import { leaseSlots5 } from '../../functions/log/lease-slots-5.ts'
import { logLag3 } from '../../functions/log/log-lag-3.ts'
import { rebase3 } from '../../functions/log/rebase-3.ts'
import { consumerLag } from '../../views.ts'

/** A sequence that is behind what a cursor has passed is noticed, and set. */
export function rememberedNumbers(schema: string): string[] {
  return [
    rebase3(schema),
    leaseSlots5(schema),
    logLag3(schema),
    `create or replace view ${schema}.consumer_lag as ${consumerLag(schema, 'log_lag_3')}`,
  ]
}
