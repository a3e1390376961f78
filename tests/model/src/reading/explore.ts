import { isAhead, type Memory, placeOf, type Rule, readOn } from './reader.ts'
import {
  append,
  begin,
  commit,
  type Durable,
  flush,
  newServer,
  recover,
  restore,
  rollback,
  type Server,
  writeCursor,
} from './server.ts'

export interface Bounds {
  readonly rule: Rule
  readonly transactions: number
  /** How often a cursor may be written. Each write uses a transaction number. */
  readonly writes: number
  /** `false`: COMMIT does not wait for the flush. */
  readonly synchronous: boolean
  /**
   * How often a server may crash; likewise how often a standby may be promoted and a dump restored.
   */
  readonly crashes: number
  readonly promotions: number
  readonly restores: number
}

export interface Explored {
  readonly states: number
  /**
   * The first event that is in the database and will never be delivered, and the steps that lead to
   * it.
   */
  readonly lost: { readonly event: number; readonly steps: readonly string[] } | undefined
}

interface State {
  readonly server: Server
  readonly memory: Memory | undefined
  readonly delivered: readonly number[]
  /** The durable data of the standby and of the dump. */
  readonly standby: Durable
  readonly dump: Durable | undefined
  readonly begun: number
  readonly writes: number
  readonly crashes: number
  readonly promotions: number
  readonly restores: number
}

/** Explores all paths within the bounds, and checks after each step whether an event is lost. */
export function exploreReading(bounds: Bounds): Explored {
  const server = newServer()
  const first: State = {
    server,
    memory: undefined,
    delivered: [],
    standby: server.flushed,
    dump: undefined,
    begun: 0,
    writes: 0,
    crashes: 0,
    promotions: 0,
    restores: 0,
  }
  const seen = new Map<string, { readonly before: string | undefined; readonly step: string }>()
  const start = JSON.stringify(first)
  seen.set(start, { before: undefined, step: '' })
  const waiting = [start]
  for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
    const state: State = JSON.parse(text)
    const event = lostIn(state, bounds.rule)
    if (event !== undefined) return { states: seen.size, lost: { event, steps: wayTo(text, seen) } }
    for (const [step, next] of stepsFrom(state, bounds)) {
      const found = JSON.stringify(next)
      if (seen.has(found)) continue
      seen.set(found, { before: text, step })
      waiting.push(found)
    }
  }
  return { states: seen.size, lost: undefined }
}

/** An event is lost if it is in the database, was not delivered, and every reader has passed it. */
function lostIn({ server, memory, delivered }: State, rule: Rule): number | undefined {
  const places = [placeOf(server, memory, rule), placeOf(server, undefined, rule)]
  return server.rows.find(
    (row) => !delivered.includes(row.event) && places.some((place) => !isAhead(row, place)),
  )?.event
}

function stepsFrom(state: State, bounds: Bounds): [string, State][] {
  const { server, memory, delivered, standby, dump } = state
  const { rule, synchronous } = bounds
  const steps: [string, State][] = []
  const on = (step: string, next: Server): void =>
    void steps.push([step, { ...state, server: next }])

  if (state.begun < bounds.transactions) {
    const begun = state.begun + 1
    steps.push([`${begun} begins`, { ...state, server: begin(server, begun), begun }])
  }
  for (const { xid, event, seq } of server.open) {
    if (seq === undefined) on(`${event} appends`, append(server, xid))
    else on(`${event} commits`, commit(server, xid, synchronous))
    on(`${event} is rolled back`, rollback(server, xid))
  }
  const { events, place } = readOn(server, placeOf(server, memory, rule))
  const all = [...new Set([...delivered, ...events])].toSorted()
  steps.push(['the reader reads', { ...state, memory: place, delivered: all }])
  if (memory !== undefined) {
    steps.push(['the reader is killed', { ...state, memory: undefined }])
    const believed = placeOf(server, memory, rule) === memory
    if (state.writes < bounds.writes && believed && memory.xmax > server.cursor.xmax) {
      const { life: _, ...cursor } = memory
      const written = writeCursor(server, cursor, synchronous)
      const writes = state.writes + 1
      steps.push(['the cursor is written', { ...state, server: written, writes }])
    }
  }
  on('the WAL is flushed', flush(server))
  if (bounds.promotions > state.promotions) {
    steps.push(['the standby catches up', { ...state, standby: server.flushed }])
    const promoted = recover(server, standby)
    const promotions = state.promotions + 1
    steps.push(['the standby is promoted', { ...state, server: promoted, promotions }])
  }
  if (bounds.crashes > state.crashes) {
    const crashes = state.crashes + 1
    steps.push([
      'the server crashes',
      { ...state, server: recover(server, server.flushed), crashes },
    ])
  }
  if (bounds.restores > state.restores) {
    const { nextXid, nextSeq, rows, cursor } = server
    steps.push(['a dump is made', { ...state, dump: { nextXid, nextSeq, rows, cursor } }])
    if (dump !== undefined) {
      const restores = state.restores + 1
      for (const at of [1, dump.nextXid + 1]) {
        const restored = restore(server, dump, at)
        steps.push([
          `the dump is restored, at number ${at}`,
          { ...state, server: restored, restores },
        ])
      }
    }
  }
  return steps
}

function wayTo(
  end: string,
  seen: ReadonlyMap<string, { readonly before: string | undefined; readonly step: string }>,
): string[] {
  const steps: string[] = []
  for (let at: string | undefined = end; at !== undefined; ) {
    const found = seen.get(at)
    if (found?.before !== undefined) steps.unshift(found.step)
    at = found?.before
  }
  return steps
}
