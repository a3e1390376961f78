import {
  type DeliveryAttempt,
  type DeliveryVerdict,
  type LoggedEvent,
  PAGE_BYTES,
  type RelayErrorMessage,
  tell,
  upToBytes,
  warnOnce,
} from '@oncekey/core'
import { makeSure } from './held-keys.ts'
import { delayAfterFailures, freeBytes, lose, type RunnerState, report } from './runner-state.ts'
import { pause } from './signals/wake.ts'
import { bytesOfAttempt, type Progress, passed, progressOf } from './slot.ts'
import { takeDue } from './taking-due.ts'

/**
 * Moves cursors, records outcomes and claims due deliveries. It does one of these at a time, each
 * when it is due.
 */
export async function writeLoop<Tx>(state: RunnerState<Tx>): Promise<void> {
  let failures = 0
  while (state.running) {
    let during: RelayErrorMessage['during'] = 'advance'
    try {
      const idle = performance.now() >= state.idleAt
      if (idle || performance.now() >= state.writeAt) await write(state, idle)
      during = 'retry'
      if (performance.now() >= state.dueAt) await takeDue(state)
      failures = 0
    } catch (error) {
      failures += 1
      report(state, during, error)
      await pause(state.toWrite, delayAfterFailures(failures), () => state.running)
    }
    const next = Math.min(state.writeAt, state.dueAt, state.idleAt)
    const waitMs = next - performance.now()
    if (state.running && waitMs > 0) await state.toWrite.wait(waitMs)
  }
  for (const resolve of state.onWritten.splice(0)) resolve()
}

/** Writes until every outcome is on record. */
export async function writeAll<Tx>(state: RunnerState<Tx>, idle: boolean): Promise<void> {
  while (await write(state, idle));
}

/**
 * Moves cursors and records outcomes, as many of each as fit in one statement. Returns whether more
 * is left, so that the caller can renew leases in between. With `idle`, cursors also move over
 * positions without an event for this consumer.
 *
 * Waits for the write before it. Each of two writes at once would take the same ended events off
 * its slot, and with the second time events that have not ended, over which the cursor then moves.
 */
export function write<Tx>(state: RunnerState<Tx>, idle: boolean): Promise<boolean> {
  const mine = state.lastWrite.then(() => writeNow(state, idle))
  state.lastWrite = mine.catch(() => {})
  return mine
}

async function writeNow<Tx>(state: RunnerState<Tx>, idle: boolean): Promise<boolean> {
  const waiting = state.onWritten
  state.onWritten = []
  state.writeAt = Number.POSITIVE_INFINITY
  state.unwritten = 0
  const now = performance.now()
  if (idle) state.idleAt = now + IDLE_EVERY_MS
  const passing = idle && (state.hasPassed || now >= state.emptyAt)
  if (passing) {
    state.hasPassed = false
    state.emptyAt = now + EMPTY_EVERY_MS
  }
  try {
    const isAdvanced = await advance(state, passing)
    const isRecorded = await recordVerdicts(state)
    await makeSure(state)
    await release(state)
    if (!isAdvanced || !isRecorded) {
      state.writeAt = 0
      state.hasPassed ||= passing
      state.onWritten = [...waiting, ...state.onWritten]
      return true
    }
  } catch (error) {
    state.writeAt = 0
    state.hasPassed ||= passing
    state.onWritten = [...waiting, ...state.onWritten]
    throw error
  }
  for (const resolve of waiting) resolve()
  return false
}

/**
 * How often an idle consumer writes its 64 cursors. After a crash, what it passed over in that time
 * is read again.
 */
const IDLE_EVERY_MS = 5_000

/** How often the cursors are written even if nothing was read: retention depends on them. */
const EMPTY_EVERY_MS = 600_000

/** Moves cursors; returns whether all cursors that could move have moved. */
async function advance<Tx>(state: RunnerState<Tx>, idle: boolean): Promise<boolean> {
  const { consumer, log, options, slots } = state
  const moves: Progress[] = []
  let bytes = 0
  for (const slot of slots.values()) {
    const progress = progressOf(slot, idle || slot.leaving, PAGE_BYTES - bytes)
    if (progress === undefined) continue
    moves.push(progress)
    bytes += progress.bytes
    if (bytes >= PAGE_BYTES) break
  }
  if (moves.length === 0) return true
  const { lost } = await log.advance({
    consumer: consumer.name,
    slots: moves.map(({ slot: { slot, epoch }, position, calm, failed }) => ({
      slot,
      epoch,
      position,
      calm,
      failed,
    })),
  })
  const wasFull = state.inFlight >= options.maxInFlight
  for (const move of moves) {
    const { slot } = move
    if (slot.lost) continue
    if (lost.includes(slot.slot)) {
      lose(state, slot)
      continue
    }
    if (wasFull || slot.entries.length >= state.slotLimit) state.toRead.wake()
    for (const entry of slot.entries.slice(0, move.entries)) freeBytes(state, entry)
    passed(move)
    state.inFlight -= move.entries
    for (const { event, verdict, attempt } of move.failed) filed(state, event, verdict, attempt, 1)
  }
  return bytes < PAGE_BYTES
}

/** Records the outcomes of deliveries; returns whether all of them are recorded. */
async function recordVerdicts<Tx>(state: RunnerState<Tx>): Promise<boolean> {
  const { consumer, underWay } = state
  const writing = new Set(
    upToBytes(state.ended.slice(0, MOST_VERDICTS), PAGE_BYTES, ({ attempt }) =>
      bytesOfAttempt(attempt),
    ),
  )
  const isAll = writing.size === state.ended.length
  if (writing.size === 0) return true
  const slots = new Set([...writing].map(({ slot }) => slot))
  const { lost } = await state.log.settle({
    consumer: consumer.name,
    slots: [...slots].map(({ slot, epoch }) => ({ slot, epoch })),
    settled: [...writing].map(({ slot: { slot }, due, verdict, attempt, startsLeft }) => ({
      id: due.id,
      slot,
      verdict,
      attempt,
      ...(startsLeft !== undefined && { startsLeft }),
      claimed: { attempts: due.attempts, redrives: due.redrives },
    })),
  })
  state.ended = state.ended.filter((each) => !writing.has(each))
  const busy = new Set([...underWay.values()].map(({ event }) => event.orderingKey))
  for (const { slot, due, verdict, attempt } of writing) {
    const isLost = lost.includes(slot.slot)
    // The slot is given up while the delivery still counts as claimed, so that its start counts as
    // one without a recorded end.
    if (isLost) lose(state, slot)
    slot.retrying -= 1
    if (!isLost && verdict.kind !== 'done') {
      filed(state, due.event, verdict, attempt, due.attempts + 1)
    }
    // The deliveries behind it on its key are due at this point, unless they were claimed together
    // with it.
    if (!consumer.ordered || !busy.has(due.event.orderingKey)) state.dueAt = 0
  }
  return isAll
}

/**
 * The limit of one statement by number, besides the limit in bytes: each outcome may contain an
 * error of some kilobytes.
 */
const MOST_VERDICTS = 500

/**
 * Called after the commit that filed a failure: schedules its retry, or reports the dead letter.
 */
function filed<Tx>(
  state: RunnerState<Tx>,
  event: LoggedEvent,
  verdict: DeliveryVerdict,
  attempt: DeliveryAttempt | null,
  attempts: number,
): void {
  if (verdict.kind === 'retrying') {
    state.dueAt = Math.min(state.dueAt, performance.now() + verdict.delayMs)
    return
  }
  const { name: consumer } = state.consumer
  const { name = '', message = '', fingerprint = '' } = attempt?.error ?? {}
  const heard = tell('oncekey:dead-letter', () => ({
    consumer,
    eventId: event.id,
    type: event.type,
    subject: event.subject,
    reason: verdict.reason,
    attempts,
    occurredAt: new Date(event.occurredAtMs),
    error: { name, message, fingerprint },
  }))
  if (heard) return
  warnOnce(
    `dead-letter:${consumer}:${fingerprint}`,
    `Consumer "${consumer}" could not take "${event.type}" ${event.id} (${verdict.reason}): ${name}: ${message.replace(/\.$/, '')}. ` +
      'It is a dead letter. This is logged once per kind; subscribe to the diagnostics channel "oncekey:dead-letter" for all.',
  )
}

/** Releases the slots that are leaving and in which everything has ended. */
async function release<Tx>(state: RunnerState<Tx>): Promise<void> {
  const { consumer, log, relay, slots } = state
  const gone = [...slots.values()].filter(
    (slot) =>
      slot.leaving &&
      slot.entries.length === 0 &&
      slot.retrying === 0 &&
      slot.readAt === slot.passed,
  )
  if (gone.length === 0) return
  const held = gone.map(({ slot, epoch }) => ({ slot, epoch }))
  for (const slot of gone) slot.releasing = true
  try {
    await log.release({ consumer: consumer.name, relay, slots: held, leaving: false })
  } catch (error) {
    // The next renewal shows whether they were released.
    for (const slot of gone) slot.releasing = false
    throw error
  }
  for (const slot of gone) lose(state, slot)
}
