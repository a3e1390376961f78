import type { DeadLetterFilter } from '@oncekey/core'
import type { RedriveKind } from '@oncekey/postgres/client'
import { filterValues, isMeant } from './dead-runs.ts'

/** How a redrive on record takes dead runs: it resumes them. */
export function redriveOfRuns(schema: string): RedriveKind {
  return {
    source: 'sagas',
    kind: 'dead-letters',
    table: `${schema}.saga_runs r`,
    id: 'r.id',
    idType: 'text',
    lowestId: '',
    at: 'r.stuck_at',
    // With ids, the primary key finds the runs; going through all dead runs would take long.
    isCandidate: (filter) =>
      (filter as DeadLetterFilter).ids === undefined
        ? `r.state in ('stuck', 'compensation-failed')`
        : `r.state in ('stuck', 'compensation-failed')
            and r.id in (select json_array_elements_text($1::json))`,
    join: '',
    isMeant,
    values: (filter) => filterValues(filter as DeadLetterFilter),
    // The runs are locked first: of a run that somebody else has resumed, the function would return
    // only its new state.
    put: `due as materialized (
        select r.id from ${schema}.saga_runs r join picked k on k.id = r.id
          where r.state in ('stuck', 'compensation-failed') and r.stuck_at = k.at
          order by r.stuck_at, r.id
          for no key update of r
      ), resumed as materialized (
        select due.id, ${schema}.saga_resume_2(due.id, true) as state from due
      ), put as materialized (
        select s.id, case when s.state in ('running', 'compensating') then 'redriven'
            else 'not-matched' end as outcome
          from resumed s
      )`,
  }
}
