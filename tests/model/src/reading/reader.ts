import type { Cursor, Row, Server } from './server.ts'

/**
 * When a reader believes what it remembers, and what is on record.
 *
 * - `as-long-as-it-fits`: it does unless its numbers are ahead of the server's. Then all is set by the
 *   highest number there is
 * - `by-life`: what it remembers, in the life of the server that it read it in; what is on record,
 *   where this server has handed out the numbers. Else the record is set by what it had passed
 */
export type Rule = 'as-long-as-it-fits' | 'by-life'

/** Where a reader is, in its memory. */
export interface Memory extends Cursor {
  readonly life: number
}

/** Where a reader goes on that has this memory, if any. */
export function placeOf(server: Server, memory: Memory | undefined, rule: Rule): Memory {
  const { life } = server
  if (rule === 'by-life') {
    if (memory?.life === life) return memory
    return { ...rebased(server, rule), life }
  }
  const fits = memory !== undefined && memory.xmax <= server.nextXid
  return fits ? memory : { ...rebased(server, rule), life }
}

/** The events that a reader there gets now, and where it is then. */
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

/** Whether reading finds it: by its transaction where that was in progress, else by its number. */
export function isAhead({ xid, seq }: Row, place: Cursor): boolean {
  return place.inProgress.includes(xid) || (xid >= place.xmax && seq > place.floor)
}

/** The record, as this server's numbers can be compared with it. */
function rebased(server: Server, rule: Rule): Cursor {
  const { cursor, rows, numbering, nextXid } = server
  const isOurs = rule === 'by-life' ? cursor.numbering === numbering : cursor.xmax <= nextXid
  if (isOurs) return cursor
  const ahead = rows.filter((row) => isAhead(row, cursor)).map(({ seq }) => seq - 1)
  const passed =
    rule === 'by-life' ? cursor.floor : Math.max(cursor.floor, ...rows.map(({ seq }) => seq))
  return { numbering, xmax: 0, inProgress: [], floor: Math.min(passed, ...ahead) }
}
