import { consumersBeginAnew } from '../functions/log/begin-anew.ts'
import { setAside } from '../functions/log/set-aside.ts'
import { retireFunction } from '../superseded/log/retire.ts'

/**
 * Tells the deliveries that a retired consumer has left from those of a later consumer of the same
 * name: see decision 162.
 */
export function subscriptionGenerations(schema: string): string[] {
  return [
    // `generation` is 0 while the subscription lasts. `not valid` checks new rows only, because
    // existing rows have passed a narrower check.
    `alter table ${schema}.deliveries
      add column generation bigint not null default 0,
      drop constraint deliveries_once,
      add constraint deliveries_once unique (consumer, event_id, generation),
      drop constraint deliveries_state_check,
      add constraint deliveries_state_check
        check (state in ('retrying', 'dead', 'resolved', 'retired')) not valid`,
    // The index that tells whether a consumer of this name has any deliveries, however many an
    // earlier consumer of the name has left.
    `create index deliveries_present on ${schema}.deliveries (consumer) where generation = 0`,
    `create index deliveries_retired on ${schema}.deliveries (dead_at, id) where state = 'retired'`,

    // A new consumer's epochs begin above any that an earlier consumer of the same name had.
    `alter table ${schema}.cursors
      alter column epoch set default (extract(epoch from clock_timestamp()) * 1000000)::bigint`,

    setAside(schema),
    retireFunction(schema),
    ...consumersBeginAnew(schema),
  ]
}
