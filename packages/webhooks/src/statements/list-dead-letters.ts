import type { DeadLetterFilter, DeadLetterPageRequest } from '@oncekey/core'
import type { Statement } from '@oncekey/postgres/client'
import { deadLetterPredicate, deadLetterValues } from './dead-letter-predicate.ts'
import { type DeadLetterRow, deadLetterJson, deadLetterTables } from './dead-letter-row.ts'

/** The oldest first. `place` is where the next page begins: exact, as JavaScript's dates are not. */
export function listDeadLetters(
  schema: string,
  filter: DeadLetterFilter,
  { limit, after }: DeadLetterPageRequest,
): Statement<DeadLetterRow & { place: string }> {
  const [diedAt, id] = after?.split('|') ?? []
  return {
    name: 'list_dead_letters',
    text: `
      select ${deadLetterJson(schema)},
          to_char(d.died_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.USZ') || '|' || d.id as place
        from ${deadLetterTables(schema)}
        where ${deadLetterPredicate}
          and ($10::timestamptz is null
            or (d.died_at, d.id) > ($10::timestamptz, $11::bigint))
        order by d.died_at, d.id
        limit $12::integer`,
    values: [...deadLetterValues(filter), diedAt ?? null, id ?? null, limit],
  }
}
