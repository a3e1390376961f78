import type { Cursor, Row, Server } from './server.ts'

/**
 * The rules by which a reader decides whether to trust its memory and the cursor on record.
 *
 * - `as-long-as-it-fits`: it trusts both unless their numbers are ahead of the server's. Then it
 *   sets everything by the highest number
 * - `by-life`: it trusts its memory in the life of the server in which it was read, and the cursor
 *   on record if this server has given out its numbers. Otherwise it rebuilds the cursor from the
 *   events that the cursor had passed
 */
export type Rule = 'as-long-as-it-fits' | 'by-life'

/** A reader's position, in its memory. */
export interface Memory extends Cursor {
  readonly life: number
}

/** The position from which a reader with this memory continues, if any. */
export function placeOf(server: Server, memory: Memory | undefined, rule: Rule): Memory {
  const { life } = server
  if (rule === 'by-life') {
    if (memory?.life === life) return memory
    return { ...rebased(server, rule), life }
  }
  const fits = memory !== undefined && memory.xmax <= server.nextXid
  return fits ? memory : { ...rebased(server, rule), life }
}

/** The events that a reader at this position gets, and its position after them. */
export function readOn(server: Server, place: Memory): { events: number[]; place: Memory } {
  const found = server.rows.filter((row) => isAhead(row, place))
  return {
    events: found.map(({ event }) => event),
    place: {
      life: server.life,
      numbering: server.numbering,
      xmax: server.nextXid,
      inProgress: server.open.map(({ xid }) => xid),
      floor: Math.max(place.floor, ...server.rows.map(({ seq }) => seq)),
    },
  }
}

/**
 * Whether reading finds the event: by its transaction if that was in progress, otherwise by its
 * number.
 */
export function isAhead({ xid, seq }: Row, place: Cursor): boolean {
  return place.inProgress.includes(xid) || (xid >= place.xmax && seq > place.floor)
}

/** The cursor on record, with numbers that can be compared with this server's. */
function rebased(server: Server, rule: Rule): Cursor {
  const { cursor, rows, numbering, nextXid } = server
  const isOurs = rule === 'by-life' ? cursor.numbering === numbering : cursor.xmax <= nextXid
  if (isOurs) return cursor
  const ahead = rows.filter((row) => isAhead(row, cursor)).map(({ seq }) => seq - 1)
  const passed =
    rule === 'by-life' ? cursor.floor : Math.max(cursor.floor, ...rows.map(({ seq }) => seq))
  return { numbering, xmax: 0, inProgress: [], floor: Math.min(passed, ...ahead) }
}
