import { v7 } from 'uuid'
import { attributeFault, headerFault, sizeFault } from './contracts/event-limits.ts'
import { OncekeyError } from './errors.ts'

/**
 * What a handler says happened. Attribute names are those of CloudEvents 1.0.
 *
 * @example
 * ```ts
 * emit({ type: 'order.created', subject: order.id, data: order })
 * ```
 */
export interface EmittedEvent {
  /** What happened, past tense, dotted: `order.created`. */
  readonly type: string
  /** What it happened to. */
  readonly subject?: string
  /** Any JSON value. */
  readonly data?: unknown
  /** Where it happened, a URI reference. @default the engine's `eventSource` */
  readonly source?: string
  /** Events with one ordering key are delivered in order. @default `subject`, else the event's id */
  readonly orderingKey?: string
  /** Carried beside the data: tracing, tenancy. */
  readonly headers?: Readonly<Record<string, string>>
}

/** An event as it stands in the outbox: committed with the writes it speaks of. */
export interface OutboxEvent {
  /** UUIDv7; stable across every delivery, so consumers know a duplicate by it. */
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** JSON text, written once, when the event was emitted: later changes to the object are not seen. */
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
}

/**
 * Turns what a handler emitted into what the outbox keeps.
 * Throws `event-invalid` where it cannot be written, so that the handler's own line is in the stack.
 */
export function outboxEvent(
  emitted: EmittedEvent,
  defaults: { source: string; traceparent: string | undefined },
): OutboxEvent {
  if (typeof emitted?.type !== 'string' || emitted.type === '') {
    throw invalid('an event needs a `type`, such as "order.created".')
  }
  for (const name of ['type', 'subject', 'source', 'orderingKey'] as const) {
    const value = emitted[name]
    if (value === '') throw notText(emitted, name)
    if (value !== undefined) checkText(emitted, name, value)
  }
  for (const [name, value] of Object.entries(emitted.headers ?? {})) {
    checkText(emitted, 'headers', name)
    checkText(emitted, `headers.${name}`, value)
  }
  checkLimits(emitted, defaults.source)
  const id = v7()
  const data = jsonText(emitted)
  const tooLarge = sizeFault(data, emitted.headers ?? {})
  if (tooLarge !== undefined) throw invalid(`event "${emitted.type}": ${tooLarge}.`)
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

function checkLimits(emitted: EmittedEvent, defaultSource: string): void {
  const { type, subject, orderingKey, source = defaultSource, headers = {} } = emitted
  for (const [name, value] of Object.entries({ type, subject, orderingKey, source })) {
    if (value === undefined) continue
    const fault = attributeFault(name as 'type', value)
    if (fault !== undefined) {
      throw invalid(`\`${name}\` of event ${JSON.stringify(type.slice(0, 100))} ${fault}.`)
    }
  }
  for (const [name, value] of Object.entries(headers)) {
    const fault = headerFault(name, value)
    if (fault !== undefined)
      throw invalid(`header ${JSON.stringify(name)} of event "${type}" ${fault}.`)
  }
}

/** Text that any log can keep: PostgreSQL has no NUL in text, and UTF-8 no half of a character. */
function checkText(emitted: EmittedEvent, name: string, value: unknown): void {
  if (typeof value !== 'string') throw notText(emitted, name)
  if (value.includes('\0') || !value.isWellFormed()) {
    throw invalid(
      `\`${name}\` of event ${JSON.stringify(emitted.type)} has a NUL character or half a surrogate pair in it, which an outbox cannot keep as text.`,
    )
  }
}

function notText(emitted: EmittedEvent, name: string): OncekeyError {
  return invalid(
    `\`${name}\` of event "${emitted.type}" must be a non-empty string; write String(…) for a number.`,
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
  throw invalid(`\`data\` of event "${emitted.type}" is not JSON.`, cause)
}

function invalid(why: string, cause?: unknown): OncekeyError {
  return new OncekeyError('event-invalid', `emit(): ${why}`, cause === undefined ? {} : { cause })
}
