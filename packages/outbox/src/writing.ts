import { setTimeout } from 'node:timers/promises'
import {
  type DeliveryAttempt,
  type DeliveryVerdict,
  type LoggedEvent,
  PAGE_BYTES,
  type RelayErrorMessage,
  tell,
  warnOnce,
} from '@oncekey/core'
import { lease } from './leasing.ts'
import { takeDue } from './retrying.ts'
import { delayAfterFailures, letGo, lose, type RunnerState, report } from './runner-state.ts'
import { type Progress, passed, progressOf } from './slot.ts'

/** Everything that writes to the log, one after the other, each when it is time. */
export async function writeLoop<Tx>(state: RunnerState<Tx>): Promise<void> {
  let failures = 0
  while (state.running) {
    let during: RelayErrorMessage['during'] = 'lease'
    try {
      if (performance.now() >= state.leaseAt) await lease(state)
      during = 'advance'
      const idle = performance.now() >= state.idleAt
      if (idle || performance.now() >= state.writeAt) await write(state, idle)
      during = 'retry'
      if (performance.now() >= state.dueAt) await takeDue(state)
      failures = 0
    } catch (error) {
      failures += 1
      report(state, during, error)
      await setTimeout(delayAfterFailures(failures))
    }
    const next = Math.min(state.leaseAt, state.writeAt, state.dueAt, state.idleAt)
    const waitMs = next - performance.now()
    if (state.running && waitMs > 0) await state.toWrite.wait(waitMs)
  }
  for (const resolve of state.onWritten.splice(0)) resolve()
}

/** The same, until nothing of what has ended is left to write. */
export async function writeAll<Tx>(state: RunnerState<Tx>, idle: boolean): Promise<void> {
  while (await write(state, idle));
}

/**
 * Moves cursors and files what ended, as much as goes in a statement; says whether there is more, which
 * is written next, because leases may have to be renewed in between. `idle`: also past where there was
 * nothing to read.
 */
export async function write<Tx>(state: RunnerState<Tx>, idle: boolean): Promise<boolean> {
  const told = state.onWritten
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
    const isSettled = await settle(state)
    await release(state)
    if (!isAdvanced || !isSettled) {
      state.writeAt = 0
      state.hasPassed ||= passing
      state.onWritten = [...told, ...state.onWritten]
      return true
    }
  } catch (error) {
    state.writeAt = 0
    state.hasPassed ||= passing
    state.onWritten = [...told, ...state.onWritten]
    throw error
  }
  for (const resolve of told) resolve()
  return false
}

/** An idle consumer's cursors, 64 rows, are written so often: what a crash may have others read again. */
const IDLE_EVERY_MS = 5_000

/** And so often where nothing was passed at all: for the sake of retention, which goes by the cursors. */
const EMPTY_EVERY_MS = 600_000

/** Whether all that could be moved was. */
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
    for (const entry of slot.entries.slice(0, move.entries)) letGo(state, entry)
    passed(move)
    state.inFlight -= move.entries
    for (const { event, verdict, attempt } of move.failed) filed(state, event, verdict, attempt, 1)
  }
  return bytes < PAGE_BYTES
}

/** Whether all that had ended was. */
async function settle<Tx>(state: RunnerState<Tx>): Promise<boolean> {
  const writing = new Set(state.settled.slice(0, MOST_SETTLED))
  if (writing.size === 0) return true
  const slots = new Set([...writing].map(({ slot }) => slot))
  const { lost } = await state.log.settle({
    consumer: state.consumer.name,
    slots: [...slots].map(({ slot, epoch }) => ({ slot, epoch })),
    settled: [...writing].map(({ slot: { slot }, due: { id }, verdict, attempt }) => ({
      id,
      slot,
      verdict,
      attempt,
    })),
  })
  state.settled = state.settled.filter((each) => !writing.has(each))
  for (const { slot, due, verdict, attempt } of writing) {
    slot.retrying -= 1
    if (lost.includes(slot.slot)) lose(state, slot)
    else if (verdict.kind !== 'done') filed(state, due.event, verdict, attempt, due.attempts + 1)
    // What waited behind it is due now.
    state.dueAt = 0
  }
  return writing.size < MOST_SETTLED
}

/** In one statement: each may have an error of some kilobytes. */
const MOST_SETTLED = 500

/** It is on file: from now on it is known, and may be told. */
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
      'It is a dead letter. Said once per kind; subscribe to the diagnostics channel "oncekey:dead-letter" for all.',
  )
}

/** Gives up what is to be given up, once all that was begun in it has ended. */
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
  await log.release({ consumer: consumer.name, relay, slots: held, leaving: false })
  for (const slot of gone) lose(state, slot)
}
