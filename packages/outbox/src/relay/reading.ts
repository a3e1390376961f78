import { setImmediate } from 'node:timers/promises'
import { bytesOfEvent, PAGE_BYTES, type Page, sleep } from '@oncekey/core'
import { heldUnknown, unsure } from './held-keys.ts'
import type { Item } from './item.ts'
import { delayAfterFailures, type RunnerState, report } from './runner-state.ts'
import { setAside } from './set-aside.ts'
import { pause } from './signals/wake.ts'
import { type Entry, hasSuspects, type Slot } from './slot.ts'
import { takes } from './standing.ts'
import { write } from './writing.ts'

/**
 * Reads events and starts them until the runner stops. While there are more events, or if it is
 * woken, it reads again at once; otherwise it waits, longer and longer while there is nothing to
 * read.
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
      await pause(state.toRead, delayAfterFailures(failures), () => state.running)
      continue
    }
    if (!state.running) return
    await state.toRead.wait(waitMs * (0.75 + Math.random() / 2))
    waitMs = Math.min(maxPollMs, waitMs * 1.5 + 1)
    // Even if it is woken often, at least minPollMs pass between two reads.
    const restMs = startedAt + minPollMs - performance.now()
    if (restMs > 0) await sleep(restMs)
  }
}

/** Reads pages until there is no more; returns whether there were any events. */
async function readThrough<Tx>(state: RunnerState<Tx>): Promise<boolean> {
  let any = false
  let reading: Promise<ReadPage | undefined> = read(state)
  for (;;) {
    const page = await reading
    if (page === undefined || !state.running) return any
    any ||= page.events.length > 0
    absorb(state, page)
    // Fetches the next page while the events of this one are being started.
    reading = page.more ? read(state) : Promise.resolve(undefined)
    reading.catch(() => {})
    state.dispatch.pump()
    // Without this pause, synchronous consumers would starve the event loop.
    await setImmediate()
  }
}

/**
 * Reads one page with events, for a round. Pages without any are passed: a log reads a limited
 * number of events at once, and all of them may be of types that others take. The cursors are
 * written now and then, so that a process that is ended meanwhile is not followed by one that
 * begins at the same place.
 */
export async function readToEvents<Tx>(
  state: RunnerState<Tx>,
  isStopped: () => boolean,
): Promise<void> {
  const everyMs = state.options.leaseMs / 3
  let writeAt = performance.now() + everyMs
  for (;;) {
    const page = await read(state)
    if (page === undefined || isStopped()) return
    absorb(state, page)
    if (page.events.length > 0 || !page.more) return
    if (performance.now() < writeAt) continue
    await write(state, true)
    writeAt = performance.now() + everyMs
  }
}

/** A page of the log, and the slots that it was read from. */
export interface ReadPage extends Page {
  readonly asked: readonly Slot[]
  /**
   * For ordered consumers: how many deliveries of the page's keys were on file when the page was
   * read.
   */
  readonly held: Awaited<ReturnType<typeof heldUnknown>>
}

/** Reads the next page; `undefined` if there is no room for one, or no slot to read. */
export async function read<Tx>(state: RunnerState<Tx>): Promise<ReadPage | undefined> {
  const { batchSize, maxInFlight, maxInFlightBytes } = state.options
  const room = Math.min(batchSize, maxInFlight - state.inFlight)
  const roomBytes = Math.min(PAGE_BYTES, maxInFlightBytes - state.inFlightBytes)
  if (
    room <= 0 ||
    roomBytes <= 0 ||
    performance.now() >= state.leasedUntil ||
    !state.standing.reads ||
    state.paused
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
  return { asked, ...page, held: await heldUnknown(state, page.events) }
}

/**
 * Queues the events of a page and moves the slots' read positions behind it. What was read of slots
 * that were lost meanwhile, or are to be released, is dropped: their next holder reads it.
 */
export function absorb<Tx>(state: RunnerState<Tx>, page: ReadPage): void {
  const { asked, events, held, next, more, passed = true } = page
  state.hasPassed ||= passed
  const slots: (Slot | undefined)[] = []
  for (const slot of asked) if (!slot.lost && !slot.leaving) slots[slot.slot] = slot
  for (const { slot: number, orderingKey, count } of held) {
    const slot = slots[number]
    if (slot === undefined || slot.held.has(orderingKey)) continue
    // The delivery may have ended since, so the log will be asked once more.
    slot.held.set(orderingKey, count)
    unsure(state, slot, orderingKey)
    state.dueAt = 0
  }
  const items: Item[] = []
  for (const event of events) {
    const slot = slots[event.slot]
    if (slot === undefined) continue
    const bytes = bytesOfEvent(event)
    const { position } = event
    const entry: Entry = { position, event, isEnded: false, failed: undefined, bytes }
    slot.entries.push(entry)
    slot.read += 1
    state.inFlight += 1
    state.inFlightBytes += bytes
    if (takes(state.consumer, event.type)) items.push({ kind: 'entry', slot, event, entry })
    else setAside(state, slot, event, entry)
  }
  for (const { slot: number, position } of next) {
    const slot = slots[number]
    if (slot === undefined) continue
    slot.readAt = position
    const allRead = !more || slot.read >= state.options.maxInFlight
    // At this point, every event that can have been under way when the last holder died has been
    // read.
    if ((slot.crashes > 0 || hasSuspects(slot)) && slot.calmAfter === undefined && allRead) {
      slot.calmAfter = slot.entries.at(-1) ?? 'now'
    }
  }
  state.dispatch.add(items)
}
