import {
  type LoggedEvent,
  meansType,
  normalTypes,
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
  { consumer, slots, types: asked, limit }: ReadRequest,
  newest: boolean,
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
    const isFull = rows.length - 1 === limit
    const lastSeq = Number((rows[rows.length - 2] as EventRow | undefined)?.seq ?? 0)
    const next = places.map((place, at) =>
      positionOf(
        isFull
          ? {
              ...place,
              to: place.to ?? present,
              floor: highest[at] ?? 0,
              seq: Math.max(place.seq, lastSeq),
            }
          : caughtUp(place, present, highest[at] ?? 0, Number(last.seq)),
      ),
    )
    return {
      events,
      // Those who read up to an older snapshot have not seen the present yet.
      more: isFull || places.some(({ to }) => to !== null),
      next: slots.map(({ slot }) => ({ slot, position: next[(placeOfSlot[slot] ?? 1) - 1] ?? '' })),
    }
  }

  return {
    question: { consumer, wanted, places, slots: placeOfSlot, types, limit, newest },
    page,
  }
}

/**
 * All that is visible in `to` was read. What is not began after it, and is numbered above anything
 * visible in it: what was read here, and, if `to` is the present, the highest number there is.
 */
function caughtUp(place: Place, present: string, read: number, newest: number): Place {
  const { life, to, floor } = place
  if (to === null) {
    return { life, from: present, to: null, floor: Math.max(floor, read, newest), seq: 0 }
  }
  return { life, from: to, to: null, floor: read, seq: 0 }
}
