import { endsWithin } from '@oncekey/core'
import { failedDelivery, PARKED } from './item.ts'
import { delayAfterFailures, type RunnerState, report } from './runner-state.ts'
import { type Entry, hasSuspects } from './slot.ts'
import { write } from './writing.ts'

/**
 * Waits up to `timeoutMs` for the attempts under way to end, and puts on record what has ended, so
 * that a process that is killed meanwhile loses little of it. Slots in which nothing is under way
 * are released, and others take them. The leases of the rest are renewed beside this: another relay
 * would run the same events again, next to these attempts.
 */
export async function drain<Tx>(state: RunnerState<Tx>, timeoutMs: number): Promise<void> {
  const idle = state.dispatch.idle()
  const over = endsWithin(idle, timeoutMs)
  let isOver = state.dispatch.pending() === 0
  for (const slot of state.slots.values()) slot.leaving = true
  // Not waited for: the log may not reply.
  void writeNowAndThen(state, idle, () => isOver)
  await over
  isOver = true
}

async function writeNowAndThen<Tx>(
  state: RunnerState<Tx>,
  idle: Promise<void>,
  isOver: () => boolean,
): Promise<void> {
  let failures = 0
  while (!isOver()) {
    let waitMs = state.options.leaseMs / 3
    try {
      await write(state, false)
      failures = 0
    } catch (error) {
      failures += 1
      report(state, 'advance', error)
      waitMs = delayAfterFailures(failures)
    }
    if (await endsWithin(idle, waitMs)) return
  }
}

/**
 * Files the events that have not ended, if events behind them in the slot have: otherwise the
 * cursor could not pass these, and the next holder would run them again. They are filed as not
 * tried, and taken from there; if they are more than MOST_FILED in a slot, they are not. Starts of
 * suspects are counted on the cursor, so these stay where they are.
 *
 * On file, what was not tried waits for an earlier delivery of its ordering key. For a consumer
 * without order nothing is filed that would.
 */
export async function fileUnended<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { consumer, log } = state
  const slots = [...state.slots.values()].filter(
    (slot) => !hasSuspects(slot) && unendedIn(slot.entries).length > 0,
  )
  if (slots.length === 0) return
  const waiting = new Set<string>()
  if (!consumer.ordered) {
    const held = await log.held({
      consumer: consumer.name,
      slots: slots.map(({ slot }) => slot),
      orderingKeys: [...new Set(slots.flatMap(({ entries }) => keysOf(unendedIn(entries))))],
    })
    for (const { orderingKey } of held) waiting.add(orderingKey)
  }
  for (const { lost, entries } of slots) {
    if (lost) continue
    const reach = consumer.ordered ? entries : beforeWaiting(entries, waiting)
    for (const entry of unendedIn(reach)) {
      if (entry.event === undefined) continue
      entry.failed = failedDelivery(entry.event, PARKED)
      entry.isEnded = true
    }
  }
}

/** The entries that have not ended, up to the last one that has; none if they are too many. */
function unendedIn(entries: readonly Entry[]): Entry[] {
  const from = entries.findIndex(({ isEnded }) => !isEnded)
  const upTo = entries.findLastIndex(({ isEnded }) => isEnded) + 1
  if (from === -1 || from >= upTo) return []
  const unended = entries.slice(from, upTo).filter(({ isEnded }) => !isEnded)
  return unended.length > MOST_FILED ? [] : unended
}

/** How many events a stop files in one slot. */
const MOST_FILED = 100

/** The entries before the first that would wait for another delivery of its key, once on file. */
function beforeWaiting(entries: readonly Entry[], onFile: ReadonlySet<string>): readonly Entry[] {
  const retrying = new Set(onFile)
  const end = entries.findIndex(({ event, failed, isEnded }) => {
    if (failed?.verdict.kind === 'retrying') retrying.add(failed.event.orderingKey)
    if (isEnded || event === undefined) return false
    if (retrying.has(event.orderingKey)) return true
    retrying.add(event.orderingKey)
    return false
  })
  return end === -1 ? entries : entries.slice(0, end)
}

function keysOf(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ event }) => event?.orderingKey ?? [])
}
