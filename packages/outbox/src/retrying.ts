import { bytesOfEvent, PAGE_BYTES } from '@oncekey/core'
import type { Item } from './dispatcher.ts'
import type { RunnerState } from './runner-state.ts'
import { giveUp } from './set-aside.ts'
import { hold } from './slot.ts'
import { takes } from './standing.ts'

/** Takes up deliveries whose time has come, and sees when the next will be. */
export async function takeDue<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { consumer, dispatch, log, settled, slots, underWay } = state
  state.dueAt = performance.now() + LOOK_EVERY_MS
  const held = [...slots.values()].filter(({ leaving }) => !leaving)
  const limit = Math.min(MOST_AT_ONCE, consumer.concurrency) - underWay.size
  const kept = [...underWay.values(), ...settled.map(({ due }) => due)]
  const bytes = kept.reduce((sum, { event }) => sum + bytesOfEvent(event), 0)
  const roomBytes = Math.min(PAGE_BYTES, state.options.maxInFlightBytes - bytes)
  if (held.length === 0 || limit <= 0 || roomBytes <= 0) return

  const { deliveries, nextInMs } = await log.takeDue({
    consumer: consumer.name,
    slots: held.map(({ slot, epoch }) => ({ slot, epoch })),
    except: [...underWay.keys(), ...settled.map(({ due }) => due.id)],
    limit,
    maxBytes: roomBytes,
    // While there are other releases, theirs is left to them.
    types: state.standing.alone ? null : consumer.types,
  })
  const items: Item[] = []
  for (const due of deliveries) {
    const slot = slots.get(due.event.slot)
    if (slot === undefined) continue
    slot.retrying += 1
    // One that was redriven by somebody else.
    const { orderingKey } = due.event
    if (consumer.ordered && !slot.held.has(orderingKey)) hold(slot, orderingKey, 1)
    if (!takes(consumer, due.event.type)) {
      giveUp(state, slot, due)
      continue
    }
    underWay.set(due.id, due)
    items.push({ kind: 'due', slot, event: due.event, due })
  }
  // After a portion there may be another.
  const waitMs = deliveries.length > 0 ? 0 : Math.min(nextInMs ?? LOOK_EVERY_MS, LOOK_EVERY_MS)
  state.dueAt = Math.min(state.dueAt, performance.now() + waitMs)
  if (items.length === 0) return
  dispatch.add(items)
  dispatch.pump()
}

/** Redriven ones appear unannounced. */
const LOOK_EVERY_MS = 1_000
const MOST_AT_ONCE = 100
