import { setTimeout } from 'node:timers/promises'
import { attemptError } from './attempt-error.ts'
import type { Consumer } from './consumer.ts'
import type { Item, ItemEnd } from './dispatcher.ts'
import { delayAfterFailures, type RunnerState, report } from './runner-state.ts'
import { writeAll } from './writing.ts'

/**
 * Runs what processes may have died of: the start is counted first, and its end is written before the
 * next of its kind begins. One that was started too often without an end is poison.
 */
export async function runDubious<Tx>(
  state: RunnerState<Tx>,
  item: Item,
  run: () => Promise<void>,
  giveUp: (end: ItemEnd | 'lost') => void,
): Promise<void> {
  const starts = await startsOf(state, item)
  if (item.slot.lost || starts === 'lost') return giveUp('lost')
  if (starts > state.consumer.maxStarts) giveUp(poison(state.consumer, starts - 1))
  else await run()
  await written(state)
}

async function startsOf<Tx>(state: RunnerState<Tx>, item: Item): Promise<number | 'lost'> {
  if (item.kind === 'due') return item.due.starts - item.due.attempts
  const { slot, event } = item
  for (let failures = 1; !slot.lost; failures += 1) {
    try {
      const eventId = event.id
      return await state.log.suspect({ consumer: state.consumer.name, slot, eventId })
    } catch (error) {
      report(state, 'advance', error)
      await setTimeout(delayAfterFailures(failures))
    }
  }
  return 'lost'
}

function poison<Tx>({ name }: Consumer<Tx>, starts: number): ItemEnd {
  const error = new Error(
    `Consumer "${name}" was started on this event ${starts} times, and no process lived to say how it ended.`,
  )
  error.name = 'PoisonError'
  const attempt = { startedAtMs: Date.now(), durationMs: 0, error: attemptError(error) }
  return { verdict: { kind: 'dead', reason: 'poison' }, attempt, error }
}

/** By the loop that writes, where it runs: writes have an order. */
function written<Tx>(state: RunnerState<Tx>): Promise<void> {
  if (!state.running) return writeAll(state, false)
  return new Promise((resolve) => {
    state.onWritten.push(resolve)
    state.writeAt = 0
    state.toWrite.wake()
  })
}
