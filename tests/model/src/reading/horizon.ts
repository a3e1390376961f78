import { isAhead } from './reader.ts'
import type { Cursor, Row } from './server.ts'

/**
 * A model of what a reader has to know of the numbers of transactions. A server's own snapshot ends
 * at the last transaction that has completed, and a higher one may have been open for long. The
 * reader has to name it as in progress, and it can name only so many.
 *
 * The orders in which a reader takes its steps. Each step is one moment of the server, between
 * which other transactions go on.
 *
 * - `own-end`: it goes by the server's snapshot as it is
 * - `number-first`: it names what lies between the snapshot's end and the next number, which it
 *   asked for before it took the snapshot
 * - `rows-first`: it reads rows, and takes the snapshot up to which it says that it has read
 *   afterwards
 * - `number-used-up`: it takes the snapshot, and completes a number of its own, up to which it
 *   names what lies between. If these are too many it does both again. It reads the rows last
 */
export type Order = 'own-end' | 'number-first' | 'rows-first' | 'number-used-up'

export interface HorizonBounds {
  readonly order: Order
  readonly transactions: number
  /** How many further numbers open transactions may take, which stay in progress with them. */
  readonly subtransactions: number
  readonly reads: number
  /** How many numbers above its snapshot's end a reader can name. */
  readonly named: number
}

interface State {
  readonly next: number
  readonly nextSeq: number
  /** The highest number of a transaction that has completed. */
  readonly completed: number
  readonly open: readonly { readonly xid: number; readonly seq?: number }[]
  readonly rows: readonly Row[]
  readonly subtransactions: number
  readonly begun: number
  readonly reads: number
  readonly tries: number
  readonly place: Place
  readonly delivered: readonly number[]
  /** What the reader has learned in the reading under way. */
  readonly learned: Learned
}

type Place = Omit<Cursor, 'numbering'>
interface Learned {
  readonly next?: number
  readonly rows?: readonly Row[]
  readonly snapshot?: Snapshot
  /** The snapshot, with its end where the named numbers end. */
  readonly present?: Snapshot
}
interface Snapshot {
  readonly xmax: number
  readonly inProgress: readonly number[]
}

/** Explores all paths within the bounds. */
export function exploreHorizon(bounds: HorizonBounds): {
  readonly states: number
  readonly lost: boolean
  /** How many tries a reading took at most. */
  readonly tries: number
} {
  const first: State = {
    next: 1,
    nextSeq: 1,
    completed: 0,
    open: [],
    rows: [],
    subtransactions: 0,
    begun: 0,
    reads: 0,
    tries: 0,
    place: { xmax: 1, inProgress: [], floor: 0 },
    delivered: [],
    learned: {},
  }
  const start = JSON.stringify(first)
  const seen = new Set([start])
  const waiting = [start]
  let tries = 0
  for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
    const state: State = JSON.parse(text)
    tries = Math.max(tries, state.tries)
    if (isLost(state)) return { states: seen.size, lost: true, tries }
    for (const next of [...serverSteps(state, bounds), ...readerStep(state, bounds)]) {
      const found = JSON.stringify(next)
      if (seen.has(found)) continue
      seen.add(found)
      waiting.push(found)
    }
  }
  return { states: seen.size, lost: false, tries }
}

/** Whether an event was passed and not delivered. Between readings it is known what was passed. */
function isLost({ rows, place, delivered, learned }: State): boolean {
  return (
    Object.keys(learned).length === 0 &&
    rows.some((row) => !delivered.includes(row.event) && !isAhead(row, { ...place, numbering: 0 }))
  )
}

function serverSteps(state: State, bounds: HorizonBounds): State[] {
  const { next, nextSeq, open, rows, completed } = state
  const steps: State[] = []
  if (state.begun < bounds.transactions) {
    steps.push({ ...state, next: next + 1, open: [...open, { xid: next }], begun: state.begun + 1 })
  }
  if (open.length > 0 && state.subtransactions < bounds.subtransactions) {
    steps.push({ ...state, next: next + 1, subtransactions: state.subtransactions + 1 })
  }
  for (const one of open) {
    const others = open.filter((each) => each !== one)
    const { xid, seq } = one
    if (seq === undefined) {
      steps.push({ ...state, nextSeq: nextSeq + 1, open: [...others, { xid, seq: nextSeq }] })
    } else {
      const committed = [...rows, { xid, seq, event: xid }]
      steps.push({ ...state, open: others, rows: committed, completed: Math.max(completed, xid) })
    }
  }
  return steps
}

/** The next step of the reader, unless it has read often enough. */
function readerStep(state: State, { order, reads, named }: HorizonBounds): State[] {
  const { learned, next, rows } = state
  if (state.reads === reads) return []
  const learn = (more: Learned, change: Partial<State> = {}): State[] => [
    { ...state, ...change, learned: { ...learned, ...more } },
  ]
  if (order === 'number-first' && learned.next === undefined) return learn({ next })
  if (order === 'rows-first' && learned.rows === undefined) return learn({ rows })
  const { snapshot, present } = learned
  if (snapshot === undefined) return learn({ snapshot: ownSnapshot(state) })
  if (present !== undefined) return [readUpTo(state, present, learned.rows ?? rows)]
  if (order === 'own-end') return learn({ present: snapshot })
  if (order === 'number-first') {
    return learn({ present: namedUpTo(snapshot, Math.max(snapshot.xmax, learned.next ?? 0)) })
  }
  const usedUp = { next: next + 1, completed: Math.max(state.completed, next) }
  if (next - snapshot.xmax <= named) return learn({ present: namedUpTo(snapshot, next) }, usedUp)
  const again = { ...state, ...usedUp, tries: state.tries + 1 }
  return [{ ...again, learned: { ...learned, snapshot: ownSnapshot(again) } }]
}

function ownSnapshot({ completed, open }: State): Snapshot {
  const xmax = completed + 1
  return { xmax, inProgress: open.map(({ xid }) => xid).filter((xid) => xid < xmax) }
}

function namedUpTo({ xmax, inProgress }: Snapshot, end: number): Snapshot {
  const beyond = Array.from({ length: end - xmax }, (_, at) => xmax + at)
  return { xmax: end, inProgress: [...inProgress, ...beyond] }
}

function readUpTo(state: State, present: Snapshot, rows: readonly Row[]): State {
  const { place, delivered } = state
  const visible = rows.filter(({ xid }) => xid < present.xmax && !present.inProgress.includes(xid))
  const found = visible.filter((row) => isAhead(row, { ...place, numbering: 0 }))
  return {
    ...state,
    reads: state.reads + 1,
    tries: 0,
    place: { ...present, floor: Math.max(place.floor, ...visible.map(({ seq }) => seq)) },
    delivered: [...new Set([...delivered, ...found.map(({ event }) => event)])].toSorted(),
    learned: {},
  }
}
