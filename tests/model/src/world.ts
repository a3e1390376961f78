/**
 * One run of the model: what is true in the simulated database, what became known outside, and where
 * every actor stands. An actor is a server's process that has one request; between two of its steps
 * anything may happen, or nothing ever again.
 */
export interface World {
  readonly row: Row
  /** Who wrote, in the order of the commits. */
  readonly committed: number[]
  /** Whose events are in the outbox. */
  readonly events: number[]
  /** By actor: what its client was answered. */
  readonly answers: Map<number, string>
  /** By actor: the step it is about to take, and what lets it. */
  readonly waiting: Map<number, Step>
  readonly crashed: Set<number>
}

/** The record of the one key that all are about. */
export interface Row {
  state: 'absent' | 'running' | 'unknown' | 'done'
  /** The actor whose attempt it is. */
  owner: number | undefined
  number: number
  leaseRanOut: boolean
  /** The actor whose transaction has the row locked. */
  lockedBy: number | undefined
  body: string | undefined
}

export interface Step {
  readonly name: string
  take(): void
  /** The process is gone: nothing behind this step happens. */
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

/** Waits for the actor's turn; rejects when its process is gone. */
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

/** Two runs that read the same here go on the same from here. */
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
