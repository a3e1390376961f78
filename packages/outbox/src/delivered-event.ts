import type { LoggedEvent } from '@oncekey/core'

/** An event as a consumer gets it. Attribute names are those of CloudEvents 1.0. */
export interface DeliveredEvent<Data = unknown> {
  /** The same on every delivery. */
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** Parsed when it is first looked at. */
  readonly data: Data
  /** The data as it was written, JSON text: for passing on. */
  readonly json: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
}

/** The event of a log, with its parts parsed on demand: most consumers look at a few of them. */
export function deliveredEvent(logged: LoggedEvent): DeliveredEvent {
  const event = Object.create(ON_DEMAND) as Delivered
  event.logged = logged
  event.id = logged.id
  event.type = logged.type
  event.source = logged.source
  event.subject = logged.subject
  event.orderingKey = logged.orderingKey
  event.json = logged.data
  return event
}

type Delivered = { -readonly [Part in keyof DeliveredEvent]: DeliveredEvent[Part] } & {
  logged: LoggedEvent
  parsed?: unknown
  parsedHeaders?: Record<string, string>
}

/** Getters of one prototype, so that all events have one shape. */
const ON_DEMAND = {
  get data(): unknown {
    const event = this as unknown as Delivered
    if (event.parsed === undefined) event.parsed = JSON.parse(event.json)
    return event.parsed
  },
  get headers(): Record<string, string> {
    const event = this as unknown as Delivered
    event.parsedHeaders ??= JSON.parse(event.logged.headers) as Record<string, string>
    return event.parsedHeaders
  },
  get occurredAt(): Date {
    return new Date((this as unknown as Delivered).logged.occurredAtMs)
  },
}
