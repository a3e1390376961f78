/**
 * The functions of a log's events that the dashboard uses. `postgresEvents()` of
 * `@oncekey/postgres` has them.
 */
export interface EventsSource {
  list(
    filter: { readonly types?: readonly string[]; readonly subject?: string },
    page: { readonly limit: number; readonly after?: string },
  ): Promise<{ readonly items: readonly ShownEvent[]; readonly next: string | undefined }>
  get(id: string): Promise<ShownEvent | undefined>
  deliveries(event: ShownEvent): Promise<readonly ShownEventDelivery[]>
}

export interface ShownEvent {
  readonly id: string
  readonly seq: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** JSON text. */
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
}

/** What became of one event in one consumer. */
export interface ShownEventDelivery {
  readonly consumer: string
  readonly state: string
  /** The id of the dead letter, or of a delivery that may become one. */
  readonly delivery: string | null
  readonly attempts: number | null
  readonly error: { readonly name: string; readonly message: string } | null
}
