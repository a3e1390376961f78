import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { filterValues, isMeant } from './dead-letter-filter.ts'

/**
 * Puts dead letters back, the oldest first. What the consumer has taken in all the same (a commit whose
 * answer was lost) is found in the inbox, and is done.
 */
export function redriveDead(
  schema: string,
  filter: DeadLetterFilter,
  limit: number,
): Statement<{ id: string; outcome: 'redriven' | 'already-done' }> {
  const isDone = `exists (select from ${schema}.processed_events p
          where p.consumer = d.consumer and p.event_id = d.event_id)`
  return {
    name: 'redrive_dead',
    text: `
      with due as materialized (
        select d.id, ${isDone} as done
          from ${schema}.deliveries d
          where ${isMeant}
          order by d.dead_at, d.id
          limit $10::integer
          for update of d skip locked
      ), put as (
        update ${schema}.deliveries d
          set state = case when due.done then 'resolved' else 'retrying' end,
            resolution = case when due.done then 'already-done' end,
            resolved_at = case when due.done then clock_timestamp() end,
            attempts = case when due.done then d.attempts else 0 end,
            starts = case when due.done then d.starts else 0 end,
            redrives = d.redrives + case when due.done then 0 else 1 end,
            due_at = clock_timestamp()
          from due
          where d.id = due.id
          returning d.id, due.done
      )
      select id::text, case when done then 'already-done' else 'redriven' end as outcome from put`,
    values: [...filterValues(filter), limit],
  }
}
