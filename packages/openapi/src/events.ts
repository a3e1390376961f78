import { OptionsError } from '@oncekey/core'
import type { JsonObject } from './components.ts'

/** What an application emits, by the `type` that it passes to `emit`. */
export type EventDescriptions = Readonly<Record<string, EventDescription>>

export interface EventDescription {
  /** When the event is emitted, in one sentence. */
  readonly summary: string
  /**
   * JSON Schema of the event's `data`; `$ref: '#/components/schemas/…'` names a schema of the
   * document. @default any JSON value
   */
  readonly data?: JsonObject
  /** What the `subject` is, such as "the order's id". @default the event has no subject */
  readonly subject?: string
  /** The event's own headers: what each is for, by name. @default none */
  readonly headers?: Readonly<Record<string, string>>
}

export interface ResolvedEvent {
  readonly type: string
  readonly summary: string
  readonly data: JsonObject
  readonly subject: string | undefined
  readonly headers: Readonly<Record<string, string>>
}

/**
 * Validates the descriptions and fills in their defaults.
 *
 * @throws {OptionsError} for a type that no event can have, or a description without a summary
 */
export function resolveEvents(events: EventDescriptions): readonly ResolvedEvent[] {
  const entries = Object.entries(events)
  if (entries.length === 0) {
    throw new OptionsError(
      "events is empty: write { 'order.placed': { summary: 'An order was placed.' } }.",
    )
  }
  return entries.map(([type, { summary, data = {}, subject, headers = {} }]) => {
    if (type === '' || type.includes('*')) {
      throw new OptionsError(
        `events: "${type}" is no type of an event; write each type as it is emitted, such as 'order.placed'.`,
      )
    }
    if (typeof summary !== 'string' || summary === '') {
      throw new OptionsError(
        `events: "${type}" needs a summary, such as { summary: 'An order was placed.' }.`,
      )
    }
    return { type, summary, data, subject, headers }
  })
}
