import type { DeadLetterFilter } from '@oncekey/core'
import type { SqlValue } from '@oncekey/postgres/client'

/**
 * Which dead runs a filter means: the one predicate that counting, listing and redriving share, so that
 * what is previewed is what is done. Of a table called `r`, with parameters 1 to 9.
 */
export const isMeant = `r.state in ('stuck', 'compensation-failed')
        and ($1::json is null or r.id in (select json_array_elements_text($1::json)))
        and ($2::json is null or r.id in (select json_array_elements_text($2::json)))
        and ($3::text is null or r.saga = $3::text)
        and ($4::text is null or r.state = $4::text)
        and ($5::text is null or r.stuck->>'step' = $5::text)
        and ($6::text is null or r.stuck->>'reason' = $6::text)
        and ($7::text is null or r.stuck->>'fingerprint' = $7::text)
        and ($8::timestamptz is null or r.stuck_at < $8::timestamptz)
        and ($9::timestamptz is null or r.stuck_at > $9::timestamptz)`

export function filterValues(given: DeadLetterFilter): SqlValue[] {
  // Sagas are not retired as consumers are: nothing is kept of one.
  const filter: DeadLetterFilter = given.retired === true ? { ids: [] } : given
  return [
    filter.ids === undefined ? null : JSON.stringify(filter.ids),
    filter.eventIds === undefined ? null : JSON.stringify(filter.eventIds),
    filter.origin ?? null,
    filter.type ?? null,
    filter.subject ?? null,
    filter.reason ?? null,
    filter.fingerprint ?? null,
    filter.deadBefore?.toISOString() ?? null,
    filter.deadAfter?.toISOString() ?? null,
  ]
}
