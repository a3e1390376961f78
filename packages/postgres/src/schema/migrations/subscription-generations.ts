import { consumersBeginAnew, retireFunction } from '../functions/log/retire.ts'
import { setAside } from '../functions/log/set-aside.ts'

/**
 * Keeps what a retired consumer leaves apart from what a later consumer of the same name does: see
 * decision 162.
 */
export function subscriptionGenerations(schema: string): string[] {
  return [
    // 0 while the subscription lasts. `not valid` checks new rows only: those already there passed
    // a narrower check.
    `alter table ${schema}.deliveries
      add column generation bigint not null default 0,
      drop constraint deliveries_once,
      add constraint deliveries_once unique (consumer, event_id, generation),
      drop constraint deliveries_state_check,
      add constraint deliveries_state_check
        check (state in ('retrying', 'dead', 'resolved', 'retired')) not valid`,
    // Whether there is anything of a name, however much there was of it before.
    `create index deliveries_present on ${schema}.deliveries (consumer) where generation = 0`,
    `create index deliveries_retired on ${schema}.deliveries (dead_at, id) where state = 'retired'`,

    // Higher than any that a consumer of the same name was given before.
    `alter table ${schema}.cursors
      alter column epoch set default (extract(epoch from clock_timestamp()) * 1000000)::bigint`,

    setAside(schema),
    retireFunction(schema),
    ...consumersBeginAnew(schema),
  ]
}
