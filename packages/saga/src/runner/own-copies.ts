import type { Run } from '../run/run.ts'

/** What one attempt gets of its run, as a copy of its own, which is made when it is first read. */
export interface OwnCopies {
  input(): unknown
  /** The results of the steps before the attempted one, by name. */
  state(): Record<string, unknown>
  result(): unknown
}

/**
 * An attempt may change what it gets: empty a list as it works through it, sort it, delete a card's
 * number. Neither another attempt nor a compensation sees that, whether the same process makes it
 * or another one, which reads the run from the database.
 */
export function ownCopies(run: Run, position: number): OwnCopies {
  const row = run.steps.get(position)
  return {
    input: once(() => copyOf(run.input)),
    state: once(() => copyOf(stateBefore(run, position))),
    result: once(() => (row?.state === 'done' ? copyOf(row.result) : undefined)),
  }
}

function stateBefore(run: Run, position: number): Record<string, unknown> {
  const before = [...run.steps.values()].filter((row) => row.position < position)
  return Object.fromEntries(before.map(({ name, result }) => [name, result]))
}

/** Inputs and results are JSON: the copy is what another process would read. */
function copyOf<Value>(value: Value): Value {
  return typeof value === 'object' && value !== null ? JSON.parse(JSON.stringify(value)) : value
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
