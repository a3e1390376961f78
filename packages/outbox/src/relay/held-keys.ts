import type { LoggedEvent } from '@oncekey/core'
import type { RunnerState } from './runner-state.ts'
import type { Slot } from './slot.ts'

/*
 * For ordered consumers: an event waits while deliveries of its ordering key are on file. The relay
 * counts the deliveries that it files and ends itself. Others file deliveries too, such as an
 * operator who redrives. So the relay asks the log when its count for a key reaches 0, when it
 * claims redriven deliveries, and when it has read events of keys of which it knows no delivery.
 */

/** Marks a key, so that the next write asks the log about it, and makes that write due at once. */
export function unsure<Tx>(state: RunnerState<Tx>, slot: Slot, orderingKey: string): void {
  state.unsure.set(orderingKey, slot)
  state.writeAt = 0
  state.toWrite.wake()
}

/** Asks the log about unsure keys. The writer calls it when all outcomes so far are on record. */
export async function makeSure<Tx>(state: RunnerState<Tx>): Promise<void> {
  const keys = new Map(state.unsure)
  await countAnew(state, keys)
  for (const [key, slot] of keys) {
    if (state.unsure.get(key) !== slot) continue
    state.unsure.delete(key)
    state.dispatch.sure(key)
  }
}

/**
 * Counts these keys again: the deliveries on file, plus failures that are not filed yet, minus
 * deliveries that have ended and are not recorded yet. The result is right only between two writes,
 * so only the writer calls this.
 */
export async function countAnew<Tx>(
  state: RunnerState<Tx>,
  keys: ReadonlyMap<string, Slot>,
): Promise<void> {
  if (keys.size === 0) return
  const slots = new Set(keys.values())
  const held = await state.log.held({
    consumer: state.consumer.name,
    slots: [...slots].map(({ slot }) => slot),
    orderingKeys: [...keys.keys()],
  })
  const counts = new Map([...keys.keys()].map((key) => [key, 0]))
  const count = (key: string, by: number): void => {
    const before = counts.get(key)
    if (before !== undefined) counts.set(key, before + by)
  }
  for (const { orderingKey, count: onFile } of held) count(orderingKey, onFile)
  for (const { failed } of [...slots].flatMap(({ entries }) => entries)) {
    if (failed?.verdict.kind === 'retrying') count(failed.event.orderingKey, 1)
  }
  for (const { due, verdict } of state.ended) {
    if (verdict.kind !== 'retrying') count(due.event.orderingKey, -1)
  }
  for (const [key, slot] of keys) {
    const left = counts.get(key) ?? 0
    if (left > 0) slot.held.set(key, left)
    else slot.held.delete(key)
  }
}

/**
 * Asks the log how many deliveries it has on file for the keys of these events. Asks only about
 * keys for which this relay has no count.
 */
export async function heldUnknown<Tx>(
  { consumer, log, slots }: RunnerState<Tx>,
  events: readonly LoggedEvent[],
): ReturnType<RunnerState<Tx>['log']['held']> {
  const unknown = events.filter(
    ({ slot, orderingKey }) => slots.get(slot)?.held.has(orderingKey) === false,
  )
  if (!consumer.ordered || unknown.length === 0) return []
  return await log.held({
    consumer: consumer.name,
    slots: [...new Set(unknown.map(({ slot }) => slot))],
    orderingKeys: [...new Set(unknown.map(({ orderingKey }) => orderingKey))],
  })
}
