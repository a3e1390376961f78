import { bytesOfEvent, PAGE_BYTES } from '../contracts/events/event-bytes.ts'
import { meansType } from '../contracts/events/event-types.ts'
import type { LoggedEvent, Page, ReadRequest } from '../contracts/logged-event.ts'
import { slotOf } from '../contracts/slots.ts'
import type { Cursor } from './memory-cursors.ts'
import type { MemoryOutbox } from './memory-outbox.ts'

/** The events of a memory store as a log: each in its slot, at a position. */
export interface MemoryReading {
  /** The next events after the given positions. */
  page(request: ReadRequest): Page
  /** The events that a consumer with these cursors has yet to pass. */
  ahead(cursors: readonly Cursor[]): { readonly events: number; readonly oldestMs: number | null }
}

export function memoryReading(outbox: MemoryOutbox): MemoryReading {
  const slots = new WeakMap<object, number>()

  function page({ types, slots: asked, limit, maxBytes = PAGE_BYTES }: ReadRequest): Page {
    const from = new Map(asked.map(({ slot, position }) => [slot, Number(position)]))
    const events: LoggedEvent[] = []
    let at = Math.max(outbox.first, Math.min(...from.values()))
    const end = outbox.first + outbox.events.length
    let bytes = 0
    for (; at < end && events.length < limit && bytes < maxBytes; at += 1) {
      const event = outbox.events[at - outbox.first]
      if (event === undefined) break
      const slot = slotAt(event)
      const start = from.get(slot)
      if (start === undefined || at < start) continue
      if (types !== null && !meansType(types, event.type)) continue
      const { occurredAt, headers, ...rest } = event
      events.push({
        ...rest,
        slot,
        position: String(at + 1),
        headers: JSON.stringify(headers),
        occurredAtMs: occurredAt.getTime(),
      })
      bytes += bytesOfEvent(events.at(-1) as LoggedEvent)
    }
    return {
      events,
      more: events.length === limit || bytes >= maxBytes,
      next: asked.map(({ slot, position }) => ({
        slot,
        position: String(Math.max(Number(position), at)),
      })),
    }
  }

  function ahead(cursors: readonly Cursor[]): ReturnType<MemoryReading['ahead']> {
    let events = 0
    let oldestMs: number | null = null
    for (const [index, event] of outbox.events.entries()) {
      const cursor = cursors[slotAt(event)]
      if (cursor === undefined || outbox.first + index < cursor.at) continue
      events += 1
      oldestMs ??= outbox.waitingMs(event)
    }
    return { events, oldestMs }
  }

  function slotAt(event: { readonly orderingKey: string }): number {
    let slot = slots.get(event)
    if (slot === undefined) {
      slot = slotOf(event.orderingKey)
      slots.set(event, slot)
    }
    return slot
  }

  return { page, ahead }
}
