import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import type { RunStateJson } from '../find-run.ts'
import { filterValues, isMeant } from './dead-letter-filter.ts'

/**
 * Has dead runs go on, the longest dead first. Each is looked at again under its own lock: one that
 * somebody else has resumed in the meantime is left alone.
 */
export function redriveDeadRunsStatement(
  schema: string,
): (filter: DeadLetterFilter, limit: number) => Statement<{ id: string; state: RunStateJson }> {
  const text = `
    with due as materialized (
      select r.id from ${schema}.saga_runs r
        where ${isMeant}
        order by r.stuck_at, r.id
        limit $10::integer
    )
    select id, ${schema}.saga_resume_2(id, true) as state from due`

  return (filter, limit) => ({
    name: 'saga_redrive_dead_runs',
    text,
    values: [...filterValues(filter), limit],
  })
}
