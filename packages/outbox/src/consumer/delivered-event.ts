import type { DeliveredFacts, LoggedEvent } from '@oncekey/core'

/** An event as a consumer receives it. Attributes have their names of CloudEvents 1.0. */
export interface DeliveredEvent<Data = unknown> {
  /** The same on every delivery. */
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** Parsed on first use. */
  readonly data: Data
  /** The data as JSON text, exactly as it was written: for passing on. */
  readonly json: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
}

/**
 * Wraps an event of the log. Data and headers are parsed on demand: most consumers use few of them.
 */
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

/** The facts about an event that traces carry. */
export function deliveredFacts(event: DeliveredEvent): DeliveredFacts {
  const { id, type, subject, occurredAt, headers } = event
  return { id, type, subject, occurredAt, traceparent: headers.traceparent }
}

type Delivered = { -readonly [Part in keyof DeliveredEvent]: DeliveredEvent[Part] } & {
  logged: LoggedEvent
  parsed?: unknown
  parsedHeaders?: Record<string, string>
}

/** One prototype with getters, so that all events share one hidden class. */
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
