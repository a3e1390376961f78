import type { Act } from '@oncekey/core'

/**
 * The functions of consumers that the dashboard uses. `postgresConsumers()` of `@oncekey/postgres`
 * has them.
 */
export interface ConsumersSource {
  list(): Promise<readonly ShownConsumer[]>
  pause(consumer: string, act: Act): Promise<string>
  resume(consumer: string, act: Act): Promise<string>
}

export interface ShownConsumer {
  readonly name: string
  readonly types: readonly string[] | null
  readonly seenAt: Date
  readonly abandonedAt: Date | null
  readonly relays: readonly string[]
  readonly heldSlots: number
  readonly pause: { readonly at: Date; readonly by: string; readonly note: string } | null
  readonly perSecond: number
  readonly lastError: {
    readonly name: string
    readonly message: string
    readonly eventId: string
    readonly at: Date
  } | null
}
