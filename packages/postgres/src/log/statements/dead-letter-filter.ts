import { type DeadLetterFilter, namesLetters } from '@oncekey/core'
import { diedWithin, type LookedAt, lookedAt } from '../../operator/looked-at.ts'
import type { SqlValue } from '../../sql/sql-client.ts'

/**
 * The condition that counting, listing and redriving share, so that a redrive takes exactly what a
 * preview shows. It reads a table called `d` and uses the parameters $1 to $9.
 */
export function isMeant(filter: DeadLetterFilter): string {
  // Two literal conditions instead of a parameter, because each state has its own partial index.
  return `d.state = '${stateOf(filter)}'
        and ($1::bigint[] is null or d.id = any($1::bigint[]))
        and ($2::text[] is null or d.event_id = any($2::text[]))
        and ($3::text is null or d.consumer = $3::text)
        and ($4::text is null or d.type = $4::text)
        and ($5::text is null or d.subject = $5::text)
        and ($6::text is null or d.reason = $6::text)
        and ($7::text is null or d.fingerprint = $7::text)
        and ${diedWithin('d.dead_at')}`
}

/** The letters that a count or a page looks at, as a table called `d`. */
export function lookedAtOf(schema: string, filter: DeadLetterFilter): LookedAt {
  const letters = {
    table: `${schema}.deliveries d`,
    isDead: `d.state = '${stateOf(filter)}'`,
    at: 'd.dead_at',
    id: 'd.id',
    pageToken: `(extract(epoch from d.dead_at) * 1000000)::bigint || '.' || d.id`,
  }
  return lookedAt(letters, namesLetters(filter))
}

function stateOf({ retired = false }: DeadLetterFilter): 'dead' | 'retired' {
  return retired ? 'retired' : 'dead'
}

/**
 * Whether a dead letter belongs to a consumer that was retired by an earlier release, which left
 * the dead letters unchanged.
 */
export function isForgotten(schema: string): string {
  return `not exists (select from ${schema}.consumers c where c.name = d.consumer)`
}

export function filterValues(filter: DeadLetterFilter): SqlValue[] {
  return [
    filter.ids === undefined ? null : `{${filter.ids.filter(isId).join(',')}}`,
    filter.eventIds === undefined ? null : textArray(filter.eventIds),
    filter.origin ?? null,
    filter.type ?? null,
    filter.subject ?? null,
    filter.reason ?? null,
    filter.fingerprint ?? null,
    filter.deadBefore?.toISOString() ?? null,
    filter.deadAfter?.toISOString() ?? null,
  ]
}

/**
 * Whether a text can be the id of a delivery. Any other text matches nothing, instead of failing
 * the statement.
 */
export function isId(id: string): boolean {
  return /^\d{1,18}$/.test(id)
}

/** An array of texts as one parameter. */
export function textArray(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`).join(',')}}`
}
