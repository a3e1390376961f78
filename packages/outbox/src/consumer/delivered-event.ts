import type { DeliveredFacts, LoggedEvent } from '@oncekey/core'

/** An event as a consumer gets it. Its attributes have their names in CloudEvents 1.0. */
export interface DeliveredEvent<Data = unknown> {
  /** The event's id, which is the same on every delivery. */
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** The data, parsed when it is first read. */
  readonly data: Data
  /** The data as JSON text, exactly as it was written, for passing it on. */
  readonly json: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
  /**
   * The event as a plain object, for `JSON.stringify`, a job queue or a worker thread. Data,
   * headers and time are read when they are needed, so `{ ...event }` and a structured clone of the
   * event itself do not have them: write `event.toJSON()` there.
   */
  toJSON(): PlainEvent<Data>
}

/** A delivered event without its JSON text, which would be the data once more. */
export type PlainEvent<Data = unknown> = Omit<DeliveredEvent<Data>, 'json' | 'toJSON'>

/**
 * Wraps an event of the log. Data and headers are parsed when they are read, because most consumers
 * read few of them.
 */
export function deliveredEvent(logged: LoggedEvent): DeliveredEvent {
  const event = Object.create(ON_DEMAND) as Delivered
  event[LOGGED] = logged
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

// Symbols, which JSON.stringify and a structured clone leave out.
const LOGGED = Symbol('logged')
const DATA = Symbol('data')
const HEADERS = Symbol('headers')

type Delivered = { -readonly [Part in keyof DeliveredEvent]: DeliveredEvent[Part] } & {
  [LOGGED]: LoggedEvent
  [DATA]?: unknown
  [HEADERS]?: Record<string, string>
}

/** One prototype with getters, so that all events share one hidden class. */
const ON_DEMAND = {
  get data(): unknown {
    const event = this as unknown as Delivered
    if (event[DATA] === undefined) event[DATA] = JSON.parse(event.json)
    return event[DATA]
  },
  get headers(): Record<string, string> {
    const event = this as unknown as Delivered
    event[HEADERS] ??= JSON.parse(event[LOGGED].headers) as Record<string, string>
    return event[HEADERS]
  },
  get occurredAt(): Date {
    return new Date((this as unknown as Delivered)[LOGGED].occurredAtMs)
  },
  toJSON(): PlainEvent {
    const { id, type, source, subject, orderingKey, data, headers, occurredAt } =
      this as unknown as Delivered
    return { id, type, source, subject, orderingKey, data, headers, occurredAt }
  },
}
