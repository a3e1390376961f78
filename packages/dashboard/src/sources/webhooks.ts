import type { Act } from '@oncekey/core'

/**
 * The functions of webhooks that the dashboard uses. `webhooks()` of `@oncekey/webhooks` has them.
 */
export interface WebhooksSource {
  readonly endpoints: {
    list(filter: {
      readonly customer?: string
      readonly status?: 'enabled' | 'paused' | 'disabled'
      readonly type?: string
      readonly after?: string
      readonly limit: number
    }): Promise<readonly ShownEndpoint[]>
    get(id: string): Promise<ShownEndpoint | undefined>
    secrets(id: string): Promise<
      readonly {
        readonly secret: string
        readonly createdAt: Date
        readonly expiresAt: Date | null
      }[]
    >
    pause(id: string, reason: string, act: Act): Promise<ShownEndpoint | undefined>
    enable(id: string, act: Act): Promise<ShownEndpoint | undefined>
    ping(id: string): Promise<ShownPing | undefined>
    rotateSecret(
      id: string,
      options: { readonly overlapMs: number },
      act: Act,
    ): Promise<{ readonly secret: string } | undefined>
  }
  readonly deliveries: {
    list(filter: {
      readonly endpointId?: string
      readonly eventId?: string
      readonly state?: ShownDelivery['state']
      readonly before?: string
      readonly limit: number
    }): Promise<readonly ShownDelivery[]>
    get(id: string): Promise<ShownWholeDelivery | undefined>
    request(id: string): Promise<ShownRequest | undefined>
    retry(id: string, act: Act): Promise<string | undefined>
    /** Returns the id of the redrive; undefined if there is no such endpoint. */
    replay(
      window: { readonly endpointId: string; readonly since: Date; readonly until?: Date },
      pace: Act & { readonly ratePerSecond?: number; readonly limit?: number },
    ): Promise<string | undefined>
  }
}

export interface ShownEndpoint {
  readonly id: string
  readonly customer: string | null
  readonly url: string
  readonly types: readonly string[]
  readonly description: string
  /** The names of the endpoint's own headers. */
  readonly headers: readonly string[]
  readonly tls: boolean
  readonly rate: number | null
  readonly status: 'enabled' | 'paused' | 'disabled' | 'deleted'
  readonly reason: string | null
  readonly createdAt: Date
  readonly changedAt: Date
  readonly failingSince: Date | null
}

export interface ShownPing {
  readonly isDelivered: boolean
  readonly status: number | undefined
  readonly error: string | undefined
  readonly message: string | undefined
  readonly durationMs: number
  readonly body: string
}

export const DELIVERY_STATES = ['pending', 'delivered', 'dead', 'discarded', 'ended'] as const

export interface ShownDelivery {
  readonly id: string
  readonly eventId: string
  readonly type: string
  readonly endpointId: string
  readonly state: (typeof DELIVERY_STATES)[number]
  readonly reason: string | null
  readonly error: string | null
  readonly attempts: number
  readonly redrives: number
  readonly dueAt: Date | null
  readonly isUnderWay: boolean
  readonly createdAt: Date
  readonly endedAt: Date | null
}

export interface ShownWholeDelivery extends ShownDelivery {
  readonly payload: string
  readonly history: readonly {
    readonly number: number
    readonly startedAt: Date
    readonly durationMs: number
    readonly status: number | null
    readonly error: string | null
    readonly message: string | null
    readonly body: string
    readonly isTruncated: boolean
  }[]
}

export interface ShownRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
