import type { Statement } from '@oncekey/postgres/client'

export interface ClaimQuestion {
  /** How many at most. */
  readonly limit: number
  /** How many this worker may have under way to one endpoint. */
  readonly perEndpoint: number
  /** How many it has under way already. */
  readonly underWay: ReadonlyMap<string, number>
  readonly leaseMs: number
  /** Failures in a row after which an endpoint is sent one delivery at a time, between pauses. */
  readonly breakerFailures: number
  /** Claims in a row without an outcome after which a delivery is taken for what kills the workers. */
  readonly mostUnfinished: number
}

/** Takes deliveries that are due and gives back what to send. How: `schema/functions/claim-at-a-rate.ts`. */
export function claimDeliveries(
  schema: string,
  question: ClaimQuestion,
): Statement<{ delivery: string }> {
  const { limit, perEndpoint, underWay, leaseMs, breakerFailures, mostUnfinished } = question
  return {
    name: 'claim_deliveries',
    text: `
      select ${schema}.claim_webhooks_2($1::integer, $2::integer, $3::json, $4::bigint, $5::integer,
        $6::integer, true) as delivery`,
    values: [
      limit,
      perEndpoint,
      JSON.stringify([...underWay].map(([id, running]) => ({ id, running }))),
      leaseMs,
      breakerFailures,
      mostUnfinished,
    ],
  }
}

/** What `delivery` is, in JSON. */
export interface ClaimedDelivery {
  readonly id: string
  readonly epoch: number
  /** Of this attempt, lost ones included; the first is 1. */
  readonly number: number
  /** Outcomes before this attempt. */
  readonly tries: number
  readonly endpointId: string
  readonly url: string
  readonly messageId: string
  /** In base64. */
  readonly body: string
  /** In force, the newest first. */
  readonly secrets: readonly StoredSecret[] | null
  /** The endpoint's own, as they are kept. */
  readonly headers: StoredSecret | null
  readonly tls: StoredSecret | null
}

/** A secret as it is kept; `seal` names the key it is sealed with. */
export interface StoredSecret {
  readonly secret: string
  readonly seal: string | null
}
