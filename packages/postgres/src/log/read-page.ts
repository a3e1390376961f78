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
import {
  type ParsedPosition,
  parsePosition,
  positionOf,
  positionPrefix,
} from './statements/position.ts'
import type { EventRow, ReadQuestion, SnapshotRow } from './statements/reading.ts'

/** The parameters of a reading, and the function that makes a page of its rows. */
export interface Reading {
  readonly question: ReadQuestion
  page(rows: readonly (EventRow | SnapshotRow)[]): Page
}

/**
 * Makes a reading. Slots at the same position, as nearly all are, share one entry in the
 * parameters.
 */
export function readingOf(
  { consumer, slots, types: asked, limit, maxBytes = PAGE_BYTES }: ReadRequest,
  scan: number,
): Reading {
  const wanted = normalTypes(asked)
  const parts = splitTypes(wanted)
  // The statement compares whole types only. With prefixes it returns every type, and `isWanted`
  // filters them.
  const types = parts === null || parts.beginnings.length > 0 ? null : parts.whole
  const isWanted = (type: string): boolean =>
    parts === null || types !== null || meansType(wanted, type)
  const positions: ParsedPosition[] = []
  const numbers = new Map<string, number>()
  const positionOfSlot: (number | null)[] = Array.from({ length: SLOTS }, () => null)
  for (const { slot, position } of slots) {
    let number = numbers.get(position)
    if (number === undefined) {
      number = positions.push(parsePosition(position))
      numbers.set(position, number)
    }
    positionOfSlot[slot] = number
  }

  function page(rows: readonly (EventRow | SnapshotRow)[]): Page {
    const last = rows.at(-1) as SnapshotRow
    const present = last.data
    const prefixes = positions.map((position) =>
      positionPrefix({ ...position, to: position.to ?? present }),
    )
    const highest = positions.map(({ floor }) => floor)
    const events: LoggedEvent[] = []
    for (let at = 0; at < rows.length - 1; at += 1) {
      const row = rows[at] as EventRow
      const slot = Number(row.slot)
      const index = (positionOfSlot[slot] ?? 1) - 1
      highest[index] = Math.max(highest[index] ?? 0, Number(row.seq))
      if (!isWanted(row.type)) continue
      events.push({
        slot,
        position: prefixes[index] + row.seq,
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
    // A full page ends with its last event. It is full by its number of events or by their bytes.
    const isFull = rows.length - 1 === limit || (last.type === 'stopped' && last.seq === null)
    const floors = highest.map((floor) => Math.max(floor, Number(last.source)))
    const isCut = isFull || last.type === 'stopped'
    const lastSeq = Number((isFull ? (rows[rows.length - 2] as EventRow) : last).seq ?? 0)
    const next = positions.map((position, at) =>
      positionOf(
        isCut
          ? {
              ...position,
              to: position.to ?? present,
              floor: floors[at] ?? 0,
              seq: Math.max(position.seq, lastSeq),
            }
          : caughtUp(position, present, floors[at] ?? 0),
      ),
    )
    return {
      events,
      // A position with `to` is still reading up to an older snapshot, so there is more up to the
      // present.
      more: isCut || positions.some(({ to }) => to !== null),
      passed: rows.length > 1 || last.seq !== null,
      next: slots.map(({ slot }) => ({
        slot,
        position: next[(positionOfSlot[slot] ?? 1) - 1] ?? '',
      })),
    }
  }

  return {
    question: {
      consumer,
      wanted,
      positions,
      slots: positionOfSlot,
      types,
      limit,
      scan,
      bytes: maxBytes,
    },
    page,
  }
}

/**
 * The position after everything visible in `to` was read. The next reading starts from `to`. Its
 * rows come from transactions that are not visible in `to`, which began later, so their numbers are
 * above all visible rows that were looked at.
 */
function caughtUp({ life, to }: ParsedPosition, present: string, floor: number): ParsedPosition {
  return { life, from: to ?? present, to: null, floor, seq: 0 }
}
