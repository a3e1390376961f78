import { sleep } from '@oncekey/core'
import { attemptError } from '../consumer/attempt-error.ts'
import type { Consumer } from '../consumer/consumer.ts'
import type { Item, ItemEnd } from './item.ts'
import { delayAfterFailures, type RunnerState, report } from './runner-state.ts'
import { startsOf } from './slot.ts'
import { writeAll } from './writing.ts'

/**
 * Runs an item that may have killed a process. Its start is counted first, and its end is on record
 * before the next suspect begins, so that a crash points at one event. An item that was started
 * more than `maxStarts` times without an end is poison, and becomes a dead letter.
 */
export async function runSuspect<Tx>(
  state: RunnerState<Tx>,
  item: Item,
  run: () => Promise<void>,
  giveUp: (end: ItemEnd | 'lost') => void,
): Promise<void> {
  const starts = await countedStarts(state, item)
  if (item.slot.lost || starts === 'lost') return giveUp('lost')
  if (starts > state.consumer.maxStarts) giveUp(poison(state.consumer, starts - 1))
  else await run()
  await written(state)
}

async function countedStarts<Tx>(state: RunnerState<Tx>, item: Item): Promise<number | 'lost'> {
  if (item.kind === 'due') return startsOf(item.slot, item.due)
  const { slot, event } = item
  for (let failures = 0; !slot.lost; ) {
    try {
      const eventId = event.id
      const starts = await state.log.suspect({ consumer: state.consumer.name, slot, eventId })
      // Earlier calls that got no answer may have counted a start as well.
      return starts === 'lost' ? starts : Math.max(1, starts - slot.unheard)
    } catch (error) {
      failures += 1
      // It may have counted a start all the same.
      slot.unheard += 1
      report(state, 'advance', error)
      await sleep(delayAfterFailures(failures))
    }
  }
  return 'lost'
}

function poison<Tx>({ name }: Consumer<Tx>, starts: number): ItemEnd {
  const error = new Error(
    `Consumer "${name}" was started on this event ${starts} times, and each time the process died before the attempt ended.`,
  )
  error.name = 'PoisonError'
  const attempt = { startedAtMs: Date.now(), durationMs: 0, error: attemptError(error) }
  return { verdict: { kind: 'dead', reason: 'poison' }, attempt, error }
}

/**
 * Waits until the outcome is on record. If the write loop runs, it does the writing, so that only
 * one write is under way at a time.
 */
function written<Tx>(state: RunnerState<Tx>): Promise<void> {
  if (!state.running) return writeAll(state, false)
  return new Promise((resolve) => {
    state.onWritten.push(resolve)
    state.writeAt = 0
    state.toWrite.wake()
  })
}
