import { setImmediate, setTimeout } from 'node:timers/promises'
import { bytesOfEvent, PAGE_BYTES, type Page } from '@oncekey/core'
import type { Item } from './dispatcher.ts'
import { delayAfterFailures, type RunnerState, report } from './runner-state.ts'
import { setAside } from './set-aside.ts'
import type { Entry, Slot } from './slot.ts'
import { takes } from './standing.ts'

/**
 * Reads and hands out until told to stop: at once when there is more, or when it is woken; else after
 * a pause that grows while there is nothing.
 */
export async function readLoop<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { minPollMs, maxPollMs } = state.options
  let waitMs = minPollMs
  let failures = 0
  while (state.running) {
    const startedAt = performance.now()
    try {
      if (await readThrough(state)) waitMs = minPollMs
      failures = 0
    } catch (error) {
      failures += 1
      report(state, 'read', error)
      await state.toRead.wait(delayAfterFailures(failures))
      continue
    }
    if (!state.running) return
    await state.toRead.wait(waitMs * (0.75 + Math.random() / 2))
    waitMs = Math.min(maxPollMs, waitMs * 1.5 + 1)
    // However often it is woken.
    const restMs = startedAt + minPollMs - performance.now()
    if (restMs > 0) await setTimeout(restMs)
  }
}

/** Reads until there is no more; says whether there was anything. */
async function readThrough<Tx>(state: RunnerState<Tx>): Promise<boolean> {
  let any = false
  let reading: Promise<ReadPage | undefined> = read(state)
  for (;;) {
    const page = await reading
    if (page === undefined || !state.running) return any
    any ||= page.events.length > 0
    absorb(state, page)
    // The next page is on its way while this one is handed out.
    reading = page.more ? read(state) : Promise.resolve(undefined)
    reading.catch(() => {})
    state.dispatch.pump()
    // Consumers that never wait would keep everything else from running.
    await setImmediate()
  }
}

/** A page, and the slots as they were when it was asked for. */
export interface ReadPage extends Page {
  readonly asked: readonly Slot[]
}

/** The next page; nothing where there is no room for one, or no slot to read. */
export async function read<Tx>(state: RunnerState<Tx>): Promise<ReadPage | undefined> {
  const { batchSize, maxInFlight, maxInFlightBytes } = state.options
  const room = Math.min(batchSize, maxInFlight - state.inFlight)
  const roomBytes = Math.min(PAGE_BYTES, maxInFlightBytes - state.inFlightBytes)
  if (
    room <= 0 ||
    roomBytes <= 0 ||
    performance.now() >= state.leasedUntil ||
    !state.standing.reads
  )
    return undefined
  const asked = [...state.slots.values()].filter(
    ({ leaving, entries }) => !leaving && entries.length < state.slotLimit,
  )
  if (asked.length === 0) return undefined
  const page = await state.log.read({
    consumer: state.consumer.name,
    types: state.standing.wanted,
    slots: asked.map(({ slot, readAt }) => ({ slot, position: readAt })),
    limit: room,
    maxBytes: roomBytes,
  })
  return { asked, ...page }
}

/** Takes a page in: what it has is queued, and the next page begins behind it. */
export function absorb<Tx>(state: RunnerState<Tx>, page: ReadPage): void {
  const { asked, events, next, more, passed = true } = page
  state.hasPassed ||= passed
  const slots: (Slot | undefined)[] = []
  for (const slot of asked) slots[slot.slot] = slot
  const items: Item[] = []
  for (const event of events) {
    const slot = slots[event.slot]
    if (slot === undefined || slot.lost) continue
    const bytes = bytesOfEvent(event)
    const entry: Entry = { position: event.position, settled: false, failed: undefined, bytes }
    slot.entries.push(entry)
    slot.read += 1
    state.inFlight += 1
    state.inFlightBytes += bytes
    if (takes(state.consumer, event.type)) items.push({ kind: 'entry', slot, event, entry })
    else setAside(state, slot, event, entry)
  }
  for (const { slot: number, position } of next) {
    const slot = slots[number]
    if (slot === undefined || slot.lost) continue
    slot.readAt = position
    const allRead = !more || slot.read >= state.options.maxInFlight
    // All that can have been under way when its holder died stands in it by now.
    if (slot.crashes > 0 && slot.calmAfter === undefined && allRead) {
      slot.calmAfter = slot.entries.at(-1) ?? 'now'
    }
  }
  state.dispatch.add(items)
}
