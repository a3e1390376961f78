import type { ConsumerControl } from '@oncekey/core'

/** What a log says of pauses: nothing of consumers that are not `known`. */
export interface Pauses {
  readonly paused: ReadonlySet<string>
  readonly known: ReadonlySet<string>
  /** Each failure of the log, the first one of the question about all of them. */
  readonly failures: readonly unknown[]
}

/**
 * Asks which of the consumers are paused. If the log fails, it is asked about each consumer alone:
 * one whose node is away must not hold up the others. They are asked about a few at a time, so that
 * a log that is failing does not get many questions at once. `isOver` ends the questions.
 */
export async function askPauses(
  control: ConsumerControl,
  consumers: readonly string[],
  isOver: () => boolean,
): Promise<Pauses> {
  const paused = new Set<string>()
  const known = new Set<string>()
  const failures: unknown[] = []
  const ask = async (names: readonly string[]): Promise<void> => {
    try {
      for (const name of await control.paused(names)) paused.add(name)
      for (const name of names) known.add(name)
    } catch (error) {
      failures.push(error)
    }
  }
  await ask(consumers)
  if (failures.length === 0 || consumers.length === 1) return { paused, known, failures }
  const left = [...consumers]
  const askOn = async (): Promise<void> => {
    for (let name = left.shift(); name !== undefined && !isOver(); name = left.shift()) {
      await ask([name])
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, askOn))
  return { paused, known, failures }
}

/** About how many consumers the log is asked at once. */
const AT_ONCE = 8
