import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { filterValues, isMeant } from './dead-letter-filter.ts'

/** How many dead runs a filter means. */
export function countDeadRunsStatement(
  schema: string,
): (filter: DeadLetterFilter) => Statement<{ count: string }> {
  const text = `select count(*)::text as count from ${schema}.saga_runs r where ${isMeant}`
  return (filter) => ({
    name: 'saga_count_dead_runs',
    text,
    values: filterValues(filter),
    cancellable: true,
  })
}
