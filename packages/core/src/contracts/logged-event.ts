import type { Position } from './slots.ts'

/**
 * An event as a log returns it. Data and headers stay JSON text, because most consumers do not read
 * all of it.
 */
export interface LoggedEvent {
  readonly slot: number
  /** The position behind this event: everything up to it has been passed. */
  readonly position: Position
  readonly id: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** JSON text, as it was written. */
  readonly data: string
  /** JSON text of an object of strings. */
  readonly headers: string
  /** Milliseconds since 1970. */
  readonly occurredAtMs: number
}

export interface ReadRequest {
  readonly consumer: string
  readonly types: readonly string[] | null
  readonly slots: readonly { readonly slot: number; readonly position: Position }[]
  readonly limit: number
  /**
   * The most data and headers that the page has, not counting its last event. Bytes. @default
   * PAGE_BYTES
   */
  readonly maxBytes?: number
}

export interface Page {
  readonly events: readonly LoggedEvent[]
  /** For each requested slot, the position to read on from, which may be behind its last event. */
  readonly next: readonly { readonly slot: number; readonly position: Position }[]
  /**
   * Whether reading passed any event, wanted or not. If `false`, the new positions need not be
   * written. A log may leave it out.
   */
  readonly passed?: boolean
  /**
   * Whether more events may be there already: the page stopped at `limit`, or read an older state.
   */
  readonly more: boolean
}
