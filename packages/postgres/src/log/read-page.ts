import {
  type LoggedEvent,
  meansType,
  normalTypes,
  PAGE_BYTES,
  type Page,
  type ReadRequest,
  SLOTS,
  splitTypes,
} from '@oncekey/core'
import { type Place, placeOf, placePrefix, positionOf } from './place.ts'
import type { EventRow, ReadQuestion, SnapshotRow } from './statements/read-events.ts'

/** What to ask for, and what a page makes of the answer. */
export interface Reading {
  readonly question: ReadQuestion
  page(rows: readonly (EventRow | SnapshotRow)[]): Page
}

/** Slots that are at the same position, as nearly always all are, share a place. */
export function readingOf(
  { consumer, slots, types: asked, limit, maxBytes = PAGE_BYTES }: ReadRequest,
  scan: number,
): Reading {
  const wanted = normalTypes(asked)
  const parts = splitTypes(wanted)
  // The statement compares whole types; where there are beginnings it gives all, and they are told apart here.
  const types = parts === null || parts.beginnings.length > 0 ? null : parts.whole
  const isWanted = (type: string): boolean =>
    parts === null || types !== null || meansType(wanted, type)
  const places: Place[] = []
  const numbers = new Map<string, number>()
  const placeOfSlot: (number | null)[] = Array.from({ length: SLOTS }, () => null)
  for (const { slot, position } of slots) {
    let number = numbers.get(position)
    if (number === undefined) {
      number = places.push(placeOf(position))
      numbers.set(position, number)
    }
    placeOfSlot[slot] = number
  }

  function page(rows: readonly (EventRow | SnapshotRow)[]): Page {
    const last = rows.at(-1) as SnapshotRow
    const present = last.data
    const prefixes = places.map((place) => placePrefix({ ...place, to: place.to ?? present }))
    const highest = places.map(({ floor }) => floor)
    const events: LoggedEvent[] = []
    for (let at = 0; at < rows.length - 1; at += 1) {
      const row = rows[at] as EventRow
      const slot = Number(row.slot)
      const place = (placeOfSlot[slot] ?? 1) - 1
      highest[place] = Math.max(highest[place] ?? 0, Number(row.seq))
      if (!isWanted(row.type)) continue
      events.push({
        slot,
        position: prefixes[place] + row.seq,
        id: row.id,
        type: row.type,
        source: row.source,
        subject: row.subject,
        orderingKey: row.ordering_key,
        data: row.data,
        headers: row.headers,
        occurredAtMs: Number(row.occurred_at),
      })
    }
    // By the number of its events, or by their bytes: it goes on behind the last of them.
    const isFull = rows.length - 1 === limit || (last.type === 'stopped' && last.seq === null)
    const floors = highest.map((floor) => Math.max(floor, Number(last.source)))
    const isCut = isFull || last.type === 'stopped'
    const lastSeq = Number((isFull ? (rows[rows.length - 2] as EventRow) : last).seq ?? 0)
    const next = places.map((place, at) =>
      positionOf(
        isCut
          ? {
              ...place,
              to: place.to ?? present,
              floor: floors[at] ?? 0,
              seq: Math.max(place.seq, lastSeq),
            }
          : caughtUp(place, present, floors[at] ?? 0),
      ),
    )
    return {
      events,
      // Those who read up to an older snapshot have not seen the present yet.
      more: isCut || places.some(({ to }) => to !== null),
      passed: rows.length > 1 || last.seq !== null,
      next: slots.map(({ slot }) => ({ slot, position: next[(placeOfSlot[slot] ?? 1) - 1] ?? '' })),
    }
  }

  return {
    question: { consumer, wanted, places, slots: placeOfSlot, types, limit, scan, bytes: maxBytes },
    page,
  }
}

/**
 * All that is visible in `to` was read. What is not began after it, and is numbered above anything
 * visible in it that was looked at.
 */
function caughtUp({ life, to }: Place, present: string, floor: number): Place {
  return { life, from: to ?? present, to: null, floor, seq: 0 }
}
