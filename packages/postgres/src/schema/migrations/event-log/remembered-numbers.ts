import { leaseSlots5 } from '../../functions/log/lease-slots-5.ts'
import { logLag3 } from '../../functions/log/log-lag-3.ts'
import { rebase3 } from '../../functions/log/rebase-3.ts'
import { numbersGoOn } from '../../functions/server/numbers-go-on.ts'
import { consumerLag } from '../../views.ts'

/** A sequence that is behind what a cursor has passed is noticed, and set. */
export function rememberedNumbers(schema: string): string[] {
  return [
    `alter table ${schema}.numbering
      add column mixed_to bigint,
      add column oldest_at timestamptz`,
    `comment on column ${schema}.numbering.mixed_to is
      'Up to this number, an event may be newer than one with a higher number.'`,
    `comment on column ${schema}.numbering.oldest_at is
      'When the oldest event up to that number was written.'`,
    numbersGoOn(schema),
    rebase3(schema),
    leaseSlots5(schema),
    logLag3(schema),
    `create or replace view ${schema}.consumer_lag as${consumerLag(schema, 'log_lag_3')}`,
  ]
}
