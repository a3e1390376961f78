import { v7 } from 'uuid'
import { OncekeyError } from '../../errors/errors.ts'
import { attributeFault, headerFault, sizeFault } from './event-limits.ts'

/**
 * What a handler says happened. Attribute names are those of CloudEvents 1.0.
 *
 * @example
 * ```ts
 * emit({ type: 'order.created', subject: order.id, data: order })
 * ```
 */
export interface EmittedEvent {
  /** The type of the event, in the past tense and with dots: `order.created`. */
  readonly type: string
  /** The thing that the event is about, such as an order's id. */
  readonly subject?: string
  /**
   * What happened, as `JSON.stringify` writes it: a `Date` becomes text, `undefined` nothing. What
   * that refuses throws `event-invalid`: a BigInt, a circular structure, a function. @default null
   */
  readonly data?: unknown
  /** The source of the event, a URI reference. */
  readonly source?: string
  /**
   * Events with one ordering key are delivered in order. @default `subject`, else the event's id
   */
  readonly orderingKey?: string
  /** Values beside the data, such as the trace or the tenant. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An event as the outbox keeps it, committed with the writes that it describes. */
export interface OutboxEvent {
  /** A UUID, the same on every delivery, so consumers recognize a duplicate by it. */
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /**
   * JSON text, made when the event was emitted, so that later changes to the object have no effect.
   */
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
}

/**
 * Makes the outbox's form of an emitted event. Throws `event-invalid` if the event cannot be
 * stored; the handler's line that emitted it is then in the stack.
 */
export function outboxEvent(
  emitted: EmittedEvent,
  defaults: {
    source: string
    traceparent: string | undefined
    /** Makes the event's id, also of the JSON text of its data. @default a new UUIDv7 */
    idOf?: ((emitted: EmittedEvent, data: string) => string) | undefined
  },
): OutboxEvent {
  checkAttributes('emit', emitted, defaults.source)
  const data = jsonText(emitted)
  checkSize('emit', emitted.type, data, emitted.headers ?? {})
  const id = defaults.idOf?.(emitted, data) ?? v7()
  return {
    id,
    type: emitted.type,
    source: emitted.source ?? defaults.source,
    subject: emitted.subject ?? null,
    orderingKey: emitted.orderingKey ?? emitted.subject ?? id,
    data,
    headers:
      defaults.traceparent === undefined
        ? { ...emitted.headers }
        : { traceparent: defaults.traceparent, ...emitted.headers },
    occurredAt: new Date(),
  }
}

/**
 * Validates events that may not come from `outboxEvent`, with the same rules. The `append` of every
 * log calls it first. Throws `event-invalid`.
 */
export function checkEvents(events: readonly OutboxEvent[]): void {
  for (const event of events) {
    const { subject, ...rest } = event
    checkAttributes('append', subject === null ? rest : { ...rest, subject }, event.source)
    checkSize('append', event.type, event.data, event.headers)
  }
}

/**
 * Validates event data that is already JSON text, with the rules of `append`. Throws
 * `event-invalid`.
 */
export function checkJsonText(verb: string, text: string): void {
  let cause: unknown
  try {
    JSON.parse(text)
  } catch (error) {
    cause = error
  }
  const fault =
    cause === undefined && typeof text === 'string'
      ? sizeFault(text, {})
      : 'the data must be JSON text, such as \'{"cents":4200}\''
  if (fault !== undefined) {
    throw new OncekeyError(
      'event-invalid',
      `${verb}: ${fault}.`,
      cause === undefined ? {} : { cause },
    )
  }
}

/** Makes an id for an event, as `emit` does. */
export function newEventId(): string {
  return v7()
}

/** The function that the event was passed to, for error messages. */
type Call = 'emit' | 'append'

type Attributes = Omit<EmittedEvent, 'data'>

function checkAttributes(call: Call, event: Attributes, defaultSource: string): void {
  if (typeof event?.type !== 'string' || event.type === '') {
    throw invalid(call, 'an event needs a `type`, such as "order.created".')
  }
  for (const name of ['type', 'subject', 'source', 'orderingKey'] as const) {
    const value = event[name]
    if (value === '') throw notText(call, event, name)
    if (value !== undefined) checkText(call, event, name, value)
  }
  for (const [name, value] of Object.entries(event.headers ?? {})) {
    checkText(call, event, 'headers', name)
    checkText(call, event, `headers.${name}`, value)
  }
  checkLimits(call, event, defaultSource)
}

function checkLimits(call: Call, event: Attributes, defaultSource: string): void {
  const { type, subject, orderingKey, source = defaultSource, headers = {} } = event
  for (const [name, value] of Object.entries({ type, subject, orderingKey, source })) {
    if (value === undefined) continue
    const fault = attributeFault(name as 'type', value)
    if (fault !== undefined) {
      throw invalid(call, `\`${name}\` of event ${JSON.stringify(type.slice(0, 100))} ${fault}.`)
    }
  }
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault !== undefined) {
      throw invalid(call, `header ${JSON.stringify(name)} of event "${type}" ${fault}.`)
    }
  }
}

function checkSize(
  call: Call,
  type: string,
  data: string,
  headers: Readonly<Record<string, string>>,
): void {
  const fault = sizeFault(data, headers)
  if (fault !== undefined) throw invalid(call, `event "${type}": ${fault}.`)
}

/**
 * Throws `event-invalid` for a text that not every log can keep: PostgreSQL has no NUL in text, and
 * UTF-8 has no lone surrogates.
 */
function checkText(call: Call, event: Attributes, name: string, value: unknown): void {
  if (typeof value !== 'string') throw notText(call, event, name)
  if (value.includes('\0') || !value.isWellFormed()) {
    throw invalid(
      call,
      `\`${name}\` of event ${JSON.stringify(event.type)} has a NUL character or half a surrogate pair in it, which an outbox cannot keep as text.`,
    )
  }
}

function notText(call: Call, event: Attributes, name: string): OncekeyError {
  return invalid(
    call,
    `\`${name}\` of event "${event.type}" must be a non-empty string; write String(…) for a number.`,
  )
}

function jsonText(emitted: EmittedEvent): string {
  let text: string | undefined
  let cause: unknown
  try {
    text = JSON.stringify(emitted.data ?? null)
  } catch (error) {
    cause = error
  }
  if (text !== undefined) return text
  throw invalid('emit', `\`data\` of event "${emitted.type}" is not JSON.`, cause)
}

function invalid(call: Call, why: string, cause?: unknown): OncekeyError {
  return new OncekeyError(
    'event-invalid',
    `${call}(): ${why}`,
    cause === undefined ? {} : { cause },
  )
}
