/**
 * One run of the model: the state of the simulated database, what became known outside, and the
 * position of every actor. An actor is a server's process with one request. Between two of its
 * steps other actors may take any number of steps, or its process may die.
 */
export interface World {
  readonly row: Row
  /** The writers, in the order of their commits. */
  readonly committed: number[]
  /** The actors whose events are in the outbox. */
  readonly events: number[]
  /** The answer that each actor's client got. */
  readonly answers: Map<number, string>
  /** The step that each actor is about to take, with the function that lets it continue. */
  readonly waiting: Map<number, Step>
  readonly crashed: Set<number>
}

/** The record of the one key that all requests use. */
export interface Row {
  state: 'absent' | 'running' | 'unknown' | 'done'
  /** The actor that has the attempt. */
  owner: number | undefined
  number: number
  leaseRanOut: boolean
  /** The actor whose transaction has locked the row. */
  lockedBy: number | undefined
  body: string | undefined
}

export interface Step {
  readonly name: string
  take(): void
  /** Call it if the process has died: nothing after this step happens. */
  never(): void
}

export function newWorld(): World {
  return {
    row: {
      state: 'absent',
      owner: undefined,
      number: 0,
      leaseRanOut: false,
      lockedBy: undefined,
      body: undefined,
    },
    committed: [],
    events: [],
    answers: new Map(),
    waiting: new Map(),
    crashed: new Set(),
  }
}

/** Waits for the actor's turn; rejects if its process is gone. */
export function turn(world: World, actor: number, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new Error('This process is gone.'))
    if (world.crashed.has(actor)) return gone()
    const leave = (then: () => void) => () => {
      world.waiting.delete(actor)
      then()
    }
    world.waiting.set(actor, { name, take: leave(resolve), never: leave(gone) })
  })
}

/** Two runs with the same text continue in the same way. */
export function stateOf(world: World, used: string): string {
  const { row, committed, events, answers, waiting, crashed } = world
  const steps = [...waiting].map(([actor, { name }]) => [actor, name]).toSorted()
  return JSON.stringify([
    row,
    committed,
    events,
    [...answers].toSorted(),
    steps,
    [...crashed],
    used,
  ])
}
