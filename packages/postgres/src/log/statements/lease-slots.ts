import type { LeaseRequest } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { heldJson, heldLife } from './held-json.ts'

/** Renews a relay's slots and takes its share of the free ones. */
export function leaseSlots(
  schema: string,
): (request: LeaseRequest) => Statement<{ answer: string }> {
  const text = `
    select ${schema}.lease_slots_2($1::text, $2::text, $3::integer,
      ${schema}.still_held($4::json, $5::text), $6::boolean) as answer`
  return ({ consumer, relay, leaseMs, holding, waiting = false }) => ({
    name: 'lease_slots',
    text,
    values: [consumer, relay, leaseMs, heldJson(holding), heldLife(holding), String(waiting)],
  })
}

/** What `answer` is, in JSON. */
export interface LeaseJson {
  readonly share: number
  readonly relays: number
  /** Of the server: what is taken is held in it, and what is read from there is of it. */
  readonly life: string
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
