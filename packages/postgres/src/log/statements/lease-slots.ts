import type { LeaseRequest } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { heldJson } from './held-json.ts'

/** Renews a relay's slots and takes its share of the free ones. */
export function leaseSlots(
  schema: string,
): (request: LeaseRequest) => Statement<{ answer: string }> {
  const text = `
    select ${schema}.lease_slots($1::text, $2::text, $3::integer, $4::json) as answer`
  return ({ consumer, relay, leaseMs, holding }) => ({
    name: 'lease_slots',
    text,
    values: [consumer, relay, leaseMs, heldJson(holding)],
  })
}

/** What `answer` is, in JSON. */
export interface LeaseJson {
  readonly share: number
  readonly relays: number
  readonly lost: readonly number[]
  readonly taken: readonly {
    readonly slot: number
    readonly epoch: string
    readonly crashes: number
    /** The place: from, to, floor and seq. */
    readonly f: string
    readonly t: string | null
    readonly o: string
    readonly s: string
  }[]
}
