import type { EndpointJson, EndpointRow } from '../statements/endpoints.ts'

/** A customer's URL and the event types it gets. Its secrets are read separately. */
export interface Endpoint {
  readonly id: string
  /** The customer it belongs to; null if endpoints have no customers. */
  readonly customer: string | null
  readonly url: string
  /** Type names or prefixes: `order.created`, `order.*`, `*`. */
  readonly types: readonly string[]
  readonly description: string
  /** The names of its own headers. Their values are not shown. */
  readonly headers: readonly string[]
  /** Whether the endpoint has a CA or a client certificate. */
  readonly tls: boolean
  /** The most deliveries per second; null for no limit. */
  readonly rate: number | null
  /**
   * `paused`: nothing is sent, and events are kept for later. `disabled`: likewise, but because the
   * endpoint failed for too long, answered 410, or was disabled by somebody.
   */
  readonly status: 'enabled' | 'paused' | 'disabled' | 'deleted'
  /** Why it is disabled or paused: `gone`, `failing`, or the reason that was given. */
  readonly reason: string | null
  readonly createdAt: Date
  readonly changedAt: Date
  /** Since when the endpoint has accepted nothing; null if it is not failing. */
  readonly failingSince: Date | null
}

export function endpointOf({ endpoint }: EndpointRow): Endpoint {
  const json: EndpointJson = JSON.parse(endpoint)
  return {
    ...json,
    createdAt: new Date(json.createdAt),
    changedAt: new Date(json.changedAt),
    failingSince: json.failingSince === null ? null : new Date(json.failingSince),
  }
}
