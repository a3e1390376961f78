import { reportWork } from './report-work.ts'
import { delayAfterFailures, lose, type RunnerState, report } from './runner-state.ts'
import { pause } from './signals/wake.ts'
import { type Slot, slotOf } from './slot.ts'
import { stand } from './standing.ts'

/**
 * Renews leases when they are due, as long as `isOn`. It runs beside the loop that writes, because
 * a write may take longer than a lease lasts, and a relay that loses its slots meanwhile could not
 * record what it wrote.
 */
export async function leaseLoop<Tx>(state: RunnerState<Tx>, isOn: () => boolean): Promise<void> {
  let failures = 0
  while (isOn()) {
    try {
      if (performance.now() >= state.leaseAt) await lease(state)
      failures = 0
    } catch (error) {
      failures += 1
      report(state, 'lease', error)
      await pause(state.toLease, delayAfterFailures(failures), isOn)
    }
    const waitMs = state.leaseAt - performance.now()
    if (isOn() && waitMs > 0) await state.toLease.wait(waitMs)
  }
}

/**
 * Renews the slots held and takes free ones. If the relay holds more than its fair share, marks the
 * rest as leaving.
 */
export async function lease<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { consumer, log, options, relay, slots, stops } = state
  if (!state.subscribed) {
    const { name, types, startAt } = consumer
    await log.subscribe({ consumer: name, types, startAt })
    state.subscribed = true
  }
  // A relay that was stopped meanwhile asks for nothing, unless its last attempts need their slots.
  const isOver = (): boolean => state.stops !== stops && !state.draining
  if (isOver()) return
  const askedAt = performance.now()
  const { name, types } = consumer
  const standing = await log.want({ consumer: name, relay, types, leaseMs: options.leaseMs })
  if (isOver()) return
  if (standing !== undefined) stand(state, standing)
  const { reads } = state.standing
  const { share, taken, lost } = await log.lease({
    consumer: consumer.name,
    relay,
    leaseMs: options.leaseMs,
    holding: [...slots.values()].map(({ slot, epoch }) => ({ slot, epoch })),
    waiting: !reads || state.draining,
  })
  // A relay that waits for its last attempts keeps the slots of these, and no others. It does not
  // leave here: its last writes may be under way, and they need the slots. `close` waits for this
  // renewal, and then gives back all that is under the relay's name.
  const giveBackIfStopped = async (): Promise<boolean> => {
    if (state.stops === stops) return false
    if (state.draining && taken.length > 0)
      await log.release({ consumer: name, relay, slots: taken, leaving: false })
    return true
  }
  const isTooLate = await giveBackIfStopped()
  if (isTooLate && !state.draining) return
  const untilNextMs = (options.leaseMs / 3) * (0.9 + Math.random() / 5)
  state.leaseAt = askedAt + (reads ? untilNextMs : Math.min(untilNextMs, LOOK_EVERY_MS))
  state.leasedUntil = askedAt + options.leaseMs
  for (const number of lost) lose(state, slots.get(number))
  const fresh = isTooLate ? [] : taken.map(slotOf)
  if (consumer.ordered && fresh.length > 0) {
    let isStopped = false
    try {
      await loadHeld(state, fresh)
    } catch (error) {
      // The log is asked for these slots again at once: it counts them as held.
      state.leaseAt = 0
      throw error
    } finally {
      isStopped = await giveBackIfStopped()
    }
    if (isStopped) return
  }
  take(state, fresh)
  shareOut(state, reads && !state.draining ? share : 0)
  state.dispatch.pump()
  state.toWrite.wake()
  await reportWork(state)
}

function take<Tx>(state: RunnerState<Tx>, fresh: readonly Slot[]): void {
  if (fresh.length === 0) return
  for (const slot of fresh) {
    lose(state, state.slots.get(slot.slot))
    slot.unheard = state.unheard.get(slot.slot) ?? 0
    slot.stuck = state.stuck.get(slot.slot) ?? 0
    state.slots.set(slot.slot, slot)
  }
  state.dueAt = 0
  state.toRead.wake()
}

/** Loads how many deliveries are on file of each ordering key in these slots. */
async function loadHeld<Tx>(
  { consumer, log }: RunnerState<Tx>,
  fresh: readonly Slot[],
): Promise<void> {
  const slots = fresh.map(({ slot }) => slot)
  const held = await log.held({ consumer: consumer.name, slots })
  const bySlot = new Map(fresh.map((slot) => [slot.slot, slot]))
  for (const { slot, orderingKey, count } of held) bySlot.get(slot)?.held.set(orderingKey, count)
}

/** A relay that holds more than its share releases the slots with the fewest entries. */
function shareOut<Tx>(state: RunnerState<Tx>, share: number): void {
  const byWork = [...state.slots.values()].sort(
    (one, other) => other.entries.length - one.entries.length,
  )
  for (const [index, slot] of byWork.entries()) {
    const leaving = index >= share
    if (leaving && !slot.leaving) state.writeAt = 0
    slot.leaving = leaving || slot.releasing
  }
}

/**
 * How often a relay that gives way to another release asks whether it may read again. Milliseconds.
 */
const LOOK_EVERY_MS = 1_000
