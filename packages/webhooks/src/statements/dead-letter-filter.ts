import { type DeadLetterFilter, namesLetters } from '@oncekey/core'
import { diedWithin, type LookedAt, lookedAt, type SqlValue } from '@oncekey/postgres/client'
import { isDeliveryId, isUuid } from './ids.ts'

/**
 * The condition that listing, counting and redriving share, so that a redrive takes exactly what a
 * preview shows. It reads `d` and `m` and uses the parameters $1 to $9.
 */
export const deadLetterCondition: string = `
          d.state = 'dead'
          and ($1::json is null or d.id = any(array(select json_array_elements_text($1::json)::bigint)))
          and ($2::json is null
            or d.message_id = any(array(select json_array_elements_text($2::json)::uuid)))
          and ($3::text is null or d.endpoint_id::text = $3::text)
          and ($4::text is null or m.type = $4::text)
          and ($5::text is null or m.subject = $5::text)
          and ($6::text is null or d.reason = $6::text)
          and ($7::text is null or d.error = $7::text)
          and ${diedWithin('d.died_at')}`

/**
 * Whether a filter names its letters; one for retired letters names none. A statement with such a
 * filter has another text, and so another name.
 */
export function isNamed(filter: DeadLetterFilter): boolean {
  return namesLetters(filter) || filter.retired === true
}

/** The letters that a count or a page looks at, as a table called `d`. */
export function lookedAtOf(schema: string, filter: DeadLetterFilter): LookedAt {
  return lookedAt(
    { ...LETTERS, table: `${schema}.webhook_deliveries d`, pageToken },
    isNamed(filter),
  )
}

const LETTERS = { isDead: `d.state = 'dead'`, at: 'd.died_at', id: 'd.id' } as const

/** Where the next page begins. Text, because a JavaScript date would lose the microseconds. */
export const pageToken: string = `to_char(d.died_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.USZ') || '|' || d.id`

export function deadLetterConditionValues(given: DeadLetterFilter): SqlValue[] {
  // Endpoints are not retired as consumers are, so a filter for retired letters matches none.
  const filter: DeadLetterFilter = given.retired === true ? { ids: [] } : given
  return [
    filter.ids === undefined ? null : JSON.stringify(filter.ids.filter(isDeliveryId)),
    filter.eventIds === undefined ? null : JSON.stringify(filter.eventIds.filter(isUuid)),
    filter.origin ?? null,
    filter.type ?? null,
    filter.subject ?? null,
    filter.reason ?? null,
    filter.fingerprint ?? null,
    filter.deadBefore?.toISOString() ?? null,
    filter.deadAfter?.toISOString() ?? null,
  ]
}
