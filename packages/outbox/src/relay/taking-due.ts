import { bytesOfEvent, type DueDelivery, PAGE_BYTES } from '@oncekey/core'
import { countAnew } from './held-keys.ts'
import type { Item, KeySequence } from './item.ts'
import type { RunnerState } from './runner-state.ts'
import { giveUp } from './set-aside.ts'
import { type Slot, startsOf } from './slot.ts'
import { takes } from './standing.ts'

/** Claims deliveries that are due, starts them, and notes when the next one will be due. */
export async function takeDue<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { consumer, dispatch, log, ended, slots, underWay } = state
  state.dueAt = performance.now() + LOOK_EVERY_MS
  const held = [...slots.values()].filter(({ leaving }) => !leaving)
  const limit = Math.min(MOST_AT_ONCE, consumer.concurrency) - takenUp(state)
  const kept = [...underWay.values(), ...ended.map(({ due }) => due)]
  const bytes = kept.reduce((sum, { event }) => sum + bytesOfEvent(event), 0)
  const roomBytes = Math.min(PAGE_BYTES, state.options.maxInFlightBytes - bytes)
  if (
    state.paused ||
    held.length === 0 ||
    limit <= 0 ||
    roomBytes <= 0 ||
    underWay.size >= MOST_UNDER_WAY
  )
    return

  const taking = log.takeDue({
    consumer: consumer.name,
    slots: held.map(({ slot, epoch }) => ({ slot, epoch })),
    except: [...underWay.keys(), ...ended.map(({ due }) => due.id)],
    limit,
    ...(consumer.ordered && { run: mostOfOneKey(held) }),
    maxBytes: roomBytes,
    // While other releases of the consumer run, deliveries of types that only they take are left to
    // them.
    types: state.standing.alone ? null : consumer.types,
  })
  const claiming = taking.then(async (claimed) => {
    if (consumer.ordered) await countAnew(state, keysToCount(state, claimed.deliveries))
    return claimed
  })
  // What was claimed is not tried if its reply or the count is lost, and is claimed again.
  const { deliveries, nextInMs } = await claiming.catch((error) => {
    for (const slot of held) slot.unheard += 1
    throw error
  })
  const items: Item[] = []
  const sequences = new Map<string, KeySequence>()
  for (const due of deliveries) {
    const slot = slots.get(due.event.slot)
    if (slot === undefined) continue
    slot.retrying += 1
    // The delivery was started before, and that start has no recorded end: a process may have died
    // of it.
    if (startsOf(slot, due) > 1) slot.careful = true
    if (!takes(consumer, due.event.type)) {
      giveUp(state, slot, due)
      continue
    }
    const { orderingKey } = due.event
    const sequence = sequences.get(orderingKey) ?? { left: 0, isBroken: false }
    sequences.set(orderingKey, sequence)
    sequence.left += 1
    underWay.set(due.id, due)
    items.push({ kind: 'due', slot, event: due.event, due, sequence })
  }
  // If this claim found some, there may be more, so the next look is at once.
  const waitMs = deliveries.length > 0 ? 0 : Math.min(nextInMs ?? LOOK_EVERY_MS, LOOK_EVERY_MS)
  state.dueAt = Math.min(state.dueAt, performance.now() + waitMs)
  if (items.length === 0) return
  dispatch.add(items)
  dispatch.pump()
}

/**
 * How much of the concurrency limit is used. For ordered consumers, the deliveries of one key count
 * as one.
 */
function takenUp<Tx>({ consumer, underWay }: RunnerState<Tx>): number {
  if (!consumer.ordered) return underWay.size
  return new Set([...underWay.values()].map(({ event }) => event.orderingKey)).size
}

/**
 * How many deliveries of one ordering key are claimed together. After a crash only one is: of
 * several, the log counts the start of the first alone, and could not tell which of them kills the
 * process.
 */
function mostOfOneKey(held: readonly Slot[]): number {
  for (const slot of held) slot.careful &&= slot.held.size > 0
  return held.some(({ careful }) => careful) ? 1 : MOST_AT_ONCE
}

/**
 * The keys of deliveries that this relay did not file itself: they were redriven, or filed by an
 * earlier holder.
 */
function keysToCount<Tx>(
  { slots }: RunnerState<Tx>,
  deliveries: readonly DueDelivery[],
): Map<string, Slot> {
  const keys = new Map<string, Slot>()
  for (const { event, redrives } of deliveries) {
    const slot = slots.get(event.slot)
    if (slot === undefined || (redrives === 0 && slot.held.has(event.orderingKey))) continue
    keys.set(event.orderingKey, slot)
  }
  return keys
}

/** The longest wait between two looks, because redriven deliveries appear without notice. */
const LOOK_EVERY_MS = 1_000
const MOST_AT_ONCE = 100
/** For ordered consumers: includes the deliveries that wait for others of their key. */
const MOST_UNDER_WAY = 1_000
