import { createHash } from 'node:crypto'
import type { Statement } from '@oncekey/postgres/client'

/** The result of one attempt to deliver. */
export interface Verdict {
  readonly state: 'delivered' | 'retry' | 'dead'
  /** Why the delivery is dead. */
  readonly reason: 'permanent' | 'exhausted' | null
  /**
   * Whether the receiver said that it will never take anything again, which disables the endpoint.
   */
  readonly gone: boolean
  /** How long until the next try. The database adds this to its own clock. Milliseconds. */
  readonly delayMs: number
  /**
   * For how long nothing is sent to the endpoint, because the endpoint asked for that.
   * Milliseconds.
   */
  readonly blockMs: number
  /** Whose fault a failure was. `ours` counts neither as a try nor against the endpoint. */
  readonly blame: 'none' | 'message' | 'endpoint' | 'ours'
  /** Whether nothing was sent. It can repeat for as long as the fault is not repaired. */
  readonly unsent: boolean
  readonly status: number | null
  /** A word for the kind of failure: `timeout`, `status 500`. */
  readonly error: string | null
  readonly message: string | null
  readonly durationMs: number
  /** The beginning of the answer's body, in base64. */
  readonly body: string | null
  readonly truncated: boolean
}

/** A verdict with the claim that it belongs to. */
export interface DeliveryVerdict extends Verdict {
  readonly id: string
  readonly epoch: number
  readonly sent: SentAs
}

/**
 * How the delivery was sent: the endpoint's URL, headers, certificates and newest secret in force
 * when it was claimed. All but the URL are what is stored, which may be secret.
 */
export interface SentAs {
  readonly endpointId: string
  readonly url: string
  /** The endpoint's own headers; null if it has none. */
  readonly headers: string | null
  readonly tls: string | null
  readonly secret: string | null
}

export interface EndpointPolicy {
  readonly breakerFailures: number
  readonly cooldownMs: number
  readonly maxCooldownMs: number
  readonly disableAfterMs: number
  readonly disableAfterAttempts: number
  readonly disableAfterEvents: number
}

/** Records verdicts in the order of their attempts, by `schema/functions/settle-webhooks-6.ts`. */
export function recordVerdicts(
  schema: string,
  verdicts: readonly DeliveryVerdict[],
  policy: EndpointPolicy,
): Statement<{ crossed: string }> {
  return {
    name: 'record_verdicts',
    text: `
      select ${schema}.settle_webhooks_6($1::json, $2::json, $3::integer, $4::bigint, $5::bigint,
        $6::bigint, $7::integer, $8::integer) as crossed`,
    values: [
      JSON.stringify(verdicts.map(({ sent: _, ...outcome }) => outcome)),
      sentAs(verdicts),
      policy.breakerFailures,
      policy.cooldownMs,
      policy.maxCooldownMs,
      policy.disableAfterMs,
      policy.disableAfterAttempts,
      policy.disableAfterEvents,
    ],
  }
}

/**
 * How the refused deliveries were sent. The database needs this only for refused ones, and only to
 * compare, so it is told digests: a server may log its parameters.
 */
function sentAs(verdicts: readonly DeliveryVerdict[]): string | null {
  const refused = verdicts.filter(({ blame }) => blame !== 'none' && blame !== 'ours')
  return refused.length === 0
    ? null
    : JSON.stringify(
        refused.map(({ id, sent: { endpointId, url, headers, tls, secret } }) => ({
          id,
          endpointId,
          url,
          headers: digest(headers),
          tls: digest(tls),
          secret: digest(secret),
        })),
      )
}

function digest(text: string | null): string | null {
  return text === null ? null : createHash('sha256').update(text).digest('hex')
}

/** The JSON in `crossed`: an endpoint that crossed a warning line or was disabled. */
export interface CrossedEndpoint {
  readonly id: string
  readonly customer: string | null
  readonly url: string
  readonly disabled: boolean
  readonly reason: string | null
  /**
   * The warning line that was crossed: the share of the time until the endpoint is disabled.
   * Percent.
   */
  readonly failingPercent: 50 | 70 | 90 | 100 | null
  readonly failingSince: string | null
}
