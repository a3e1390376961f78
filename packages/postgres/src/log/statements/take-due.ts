import { PAGE_BYTES, splitTypes, type TakeDue } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { textArray } from './dead-letter-filter.ts'
import { heldJson, heldLife } from './held-json.ts'

/** Takes up deliveries whose time has come. */
export function takeDue(schema: string): (request: TakeDue) => Statement<{ answer: string }> {
  const text = `
    select ${schema}.take_due_3($1::text, ${schema}.still_held($2::json, $7::text), $3::bigint[],
      $4::integer, $5::text[], $6::text[], $8::bigint) as answer`
  return ({ consumer, slots, except, limit, types = null, maxBytes = PAGE_BYTES }) => {
    const parts = splitTypes(types)
    return {
      name: 'take_due',
      text,
      values: [
        consumer,
        heldJson(slots),
        `{${except.join(',')}}`,
        limit,
        parts === null ? null : textArray(parts.whole),
        parts === null ? null : textArray(parts.beginnings),
        heldLife(slots),
        maxBytes,
      ],
    }
  }
}

/** What `answer` is, in JSON. */
export interface DueJson {
  readonly next_in_ms: number | null
  readonly deliveries: readonly {
    readonly delivery: string
    readonly slot: number
    readonly seq: string
    readonly id: string
    readonly type: string
    readonly source: string
    readonly subject: string | null
    readonly ordering_key: string
    readonly data: string
    readonly headers: string
    readonly occurred_at: number
    readonly attempts: number
    readonly starts: number
    readonly redrives: number
  }[]
}
