import type { EndpointJson, EndpointRow } from './statements/endpoint-row.ts'

/** A customer's URL, and what it is told of. Its secrets are asked for by themselves. */
export interface Endpoint {
  readonly id: string
  /** Whose it is; null where endpoints have no customers. */
  readonly customer: string | null
  readonly url: string
  /** `order.created`, `order.*`, `*`. */
  readonly types: readonly string[]
  readonly description: string
  /** The names of its own headers; what they say is not shown. */
  readonly headers: readonly string[]
  /** Whether it has a CA or a client certificate of its own. */
  readonly tls: boolean
  /** Deliveries a second at most; null for as many as there are. */
  readonly rate: number | null
  /**
   * `paused`: nothing is sent, what happens is kept for later. `disabled`: the same, because it
   * failed for too long or answered 410, or somebody said so.
   */
  readonly status: 'enabled' | 'paused' | 'disabled' | 'deleted'
  /** Why it is disabled or paused: `gone`, `failing`, or what was given. */
  readonly reason: string | null
  readonly createdAt: Date
  readonly changedAt: Date
  /** Since when nothing has been taken there. */
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
