import { CLOSING_MS, endsWithin, OncekeyError } from '@oncekey/core'
import { drain, fileUnended } from './draining.ts'
import { lose, type RunnerState, report } from './runner-state.ts'
import { startsOf } from './slot.ts'
import { takeBackStarts } from './suspects.ts'
import { writeAll } from './writing.ts'

/**
 * Waits up to `timeoutMs` for attempts to end, and aborts the rest. The next holder of the slot
 * delivers those again, together with the events that were never started. The counted start of an
 * aborted delivery is taken back, because no process died of it. Starts that processes did die of
 * stay on record.
 *
 * The last writes have what is left of `timeoutMs`, and at least half a second. A database that
 * does not reply is not waited for any longer: the leases end by themselves. `closing` is what is
 * then still under way.
 */
export async function finish<Tx>(
  state: RunnerState<Tx>,
  timeoutMs: number,
  renewing: () => Promise<unknown>,
): Promise<{ readonly closing: Promise<void> }> {
  const { dispatch, slots } = state
  const until = performance.now() + timeoutMs
  dispatch.clear()
  dispatch.pump()
  await drain(state, timeoutMs)
  state.stopping = true
  state.draining = false
  // What a renewal that is under way takes is given back.
  state.stops += 1
  state.toLease.wake()
  giveBack(state)
  dispatch.abort(new OncekeyError('lease-lost', 'The relay was stopped before the consumer ended.'))
  const closing = close(state, renewing())
  const closed = await endsWithin(closing, Math.max(until - performance.now(), CLOSING_MS))
  if (!closed) report(state, 'advance', new Error('The log did not answer when the relay stopped.'))
  state.silent = true
  for (const slot of [...slots.values()]) lose(state, slot)
  state.suspects.clear()
  state.leaseAt = 0
  state.leasedUntil = 0
  return { closing }
}

/** Puts on record what is left, and releases the slots, whether or not the former succeeded. */
async function close<Tx>(state: RunnerState<Tx>, renewing: Promise<unknown>): Promise<void> {
  const { consumer, log, relay, slots } = state
  const suspects = new Map(state.suspects)
  // Noted before the waits, during which this relay may give up on the log.
  const mine = [...slots.values()]
  const told = (error: unknown): void => report(state, 'advance', error)
  // Before the log is asked what is held, which may take long: what has ended has to be on record.
  await writeAll(state, true).catch(told)
  await fileUnended(state).catch(told)
  await writeAll(state, true).catch(told)
  await takeBackStarts(state, suspects).catch(told)
  // A renewal that the log carried out after the release would take the slots again.
  await renewing
  const held = mine
    .filter(({ releasing }) => !releasing)
    .map(({ slot, epoch }) => ({ slot, epoch }))
  await log.release({ consumer: consumer.name, relay, slots: held, leaving: true }).catch(told)
}

function giveBack<Tx>(state: RunnerState<Tx>): void {
  for (const due of state.underWay.values()) {
    const slot = state.slots.get(due.event.slot)
    // Only the first delivery of a sequence had its start counted, so only the first one's start is
    // taken back.
    if (slot === undefined || due.starts <= due.attempts) continue
    const startsLeft = due.attempts + startsOf(slot, due) - 1
    const verdict = { kind: 'retrying', delayMs: 0 } as const
    state.ended.push({ slot, due, verdict, attempt: null, startsLeft })
  }
  state.underWay.clear()
}
