import type { DeadLetterFilter } from '@oncekey/core'
import type { RedriveKind } from '../../operator/redrives/redrive-kind.ts'
import { filterValues, isForgotten, isMeant } from './dead-letter-filter.ts'

/**
 * The update that puts back the deliveries in `due` (id, done); a delivery that is `done` becomes
 * resolved instead.
 */
export function putBack(schema: string): string {
  return `update ${schema}.deliveries d
          set state = case when due.done then 'resolved' else 'retrying' end,
            resolution = case when due.done then 'already-done' end,
            resolved_at = case when due.done then clock_timestamp() end,
            attempts = case when due.done then d.attempts else 0 end,
            starts = case when due.done then d.starts else 0 end,
            redrives = d.redrives + case when due.done then 0 else 1 end,
            due_at = clock_timestamp()
          from due
          where d.id = due.id`
}

/** Whether the consumer has already taken in the event of `d`, in a commit whose reply was lost. */
export function isDone(schema: string): string {
  return `exists (select from ${schema}.processed_events p
          where p.consumer = d.consumer and p.event_id = d.event_id)`
}

/** How a redrive on record takes dead letters of consumers. */
export function redriveOfConsumers(schema: string): RedriveKind {
  return {
    source: 'consumers',
    kind: 'dead-letters',
    table: `${schema}.deliveries d`,
    id: 'd.id',
    idType: 'bigint',
    lowestId: '0',
    at: 'd.dead_at',
    // With ids, the primary key finds the letters; going through all dead letters would take long.
    isCandidate: (filter) =>
      (filter as DeadLetterFilter).ids === undefined
        ? `d.state = 'dead'`
        : `d.state = 'dead' and d.id = any($1::bigint[])`,
    join: '',
    isMeant: isMeant({}),
    values: (filter) => filterValues(filter as DeadLetterFilter),
    // Whoever waits for several letters locks them in order of their ids. They are put back in the
    // order in which they died.
    put: `locked as materialized (
        select d.id, d.dead_at, ${isDone(schema)} as done
          from ${schema}.deliveries d join picked k on k.id = d.id
          where d.state = 'dead' and d.dead_at = k.at and not ${isForgotten(schema)}
          order by d.id
          for update of d
      ), due as materialized (
        select l.id, l.done from locked l order by l.dead_at, l.id
      ), put_back as (
        ${putBack(schema)}
          returning d.id, due.done
      ), put as materialized (
        select b.id, case when b.done then 'already-done' else 'redriven' end as outcome
          from put_back b
      )`,
  }
}
