import type { Statement } from '@oncekey/postgres/client'

/** How an attempt ended, as the database is told. */
export interface Settlement {
  readonly id: string
  readonly epoch: number
  readonly state: 'delivered' | 'retry' | 'dead'
  /** Why it is dead. */
  readonly reason: 'permanent' | 'exhausted' | null
  /** Whether the receiver said that nothing will ever be taken there again. */
  readonly gone: boolean
  /** How long until the next try; the database's clock adds it to its now. */
  readonly delayMs: number
  /** How long nothing is sent to the endpoint, because it asked for that. */
  readonly blockMs: number
  /** Whose failure it was: `ours` counts neither as a try nor against the endpoint. */
  readonly blame: 'none' | 'message' | 'endpoint' | 'ours'
  readonly status: number | null
  /** A short word that is the same for the same kind of failure. */
  readonly error: string | null
  readonly message: string | null
  readonly durationMs: number
  /** In base64. */
  readonly body: string | null
  readonly truncated: boolean
}

export interface EndpointPolicy {
  readonly breakerFailures: number
  readonly cooldownMs: number
  readonly maxCooldownMs: number
  readonly disableAfterMs: number
  readonly disableAfterAttempts: number
  readonly disableAfterEvents: number
}

/** Writes how attempts ended, in the order they did. How: `schema/functions/settle-and-end-probes.ts`. */
export function settleDeliveries(
  schema: string,
  settlements: readonly Settlement[],
  policy: EndpointPolicy,
): Statement<{ crossed: string }> {
  return {
    name: 'settle_deliveries',
    text: `
      select ${schema}.settle_webhooks_3($1::json, $2::integer, $3::bigint, $4::bigint, $5::bigint,
        $6::integer, $7::integer) as crossed`,
    values: [
      JSON.stringify(settlements),
      policy.breakerFailures,
      policy.cooldownMs,
      policy.maxCooldownMs,
      policy.disableAfterMs,
      policy.disableAfterAttempts,
      policy.disableAfterEvents,
    ],
  }
}

/** What `crossed` is, in JSON: an endpoint that was warned of or disabled. */
export interface CrossedEndpoint {
  readonly id: string
  readonly customer: string | null
  readonly url: string
  readonly disabled: boolean
  readonly reason: string | null
  /** Which share of the time until it is disabled has passed, where that is new. */
  readonly failingPercent: 50 | 70 | 90 | 100 | null
  readonly failingSince: string | null
}
