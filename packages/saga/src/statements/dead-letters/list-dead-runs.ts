import type { DeadLetterFilter } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { filterValues, isMeant } from './dead-letter-filter.ts'
import { type DeadRunJson, deadRun } from './dead-run.ts'

/** Dead runs, the longest dead first; `after` is the last of the page before. */
export function listDeadRunsStatement(
  schema: string,
): (
  filter: DeadLetterFilter,
  limit: number,
  after: Pick<DeadRunJson, 'stuck_at' | 'id'> | undefined,
) => Statement<{ run: string }> {
  const text = `
    select ${deadRun(schema)} as run
      from ${schema}.saga_runs r
      where ${isMeant}
        and ($10::bigint is null or (r.stuck_at, r.id)
          > (timestamptz 'epoch' + $10::bigint * interval '1 microsecond', $11::text))
      order by r.stuck_at, r.id
      limit $12::integer`

  return (filter, limit, after) => ({
    name: 'saga_list_dead_runs',
    text,
    values: [...filterValues(filter), after?.stuck_at ?? null, after?.id ?? null, limit],
    cancellable: true,
  })
}
