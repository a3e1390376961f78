import { type Lease, type LeaseRequest, SLOTS, type TakenSlot } from '@oncekey/core'
import { countRelaysScript } from '../scripts/log/count-relays.ts'
import { isRetiredScript } from '../scripts/log/is-retired.ts'
import { renewSlotsScript } from '../scripts/log/renew-slots.ts'
import { subscribeScript } from '../scripts/log/subscribe.ts'
import { takeSlotsScript } from '../scripts/log/take-slots.ts'
import type { LogState } from './log-state.ts'
import { allSlots } from './slot-keys.ts'

/**
 * Counts the relays, renews what is held, takes what is free up to a fair share. Three questions,
 * because in a cluster no script sees all slots. Only the last gives a slot away, and it looks again:
 * of two relays that want the same one gets it, and the other tries the next.
 */
export async function leaseSlots(
  log: LogState,
  request: LeaseRequest,
  isSubscribed: boolean,
): Promise<Lease> {
  const { consumer, relay, leaseMs, holding, waiting = false } = request
  const epochs = new Map(holding.map(({ slot, epoch }) => [slot, epoch]))
  const asked = allSlots.map((slot) => ({ slot, epoch: epochs.get(slot) ?? '' }))
  const states = (
    await log.askSlots(renewSlotsScript, asked, (slots) => ({ consumer, relay, leaseMs, slots }))
  ).flat()
  const inState = (wanted: (typeof states)[number]): number[] =>
    allSlots.filter((slot) => states[slot] === wanted)
  const lost = inState('lost')
  const unknown = inState('unknown')
  if (unknown.length > 0 && isSubscribed) await restore(log, consumer, unknown)
  if (unknown.length === SLOTS) return { share: 0, relays: 0, taken: [], lost }

  if (waiting) {
    await log.ask(countRelaysScript, { consumer, relay, leaseMs: 0 })
    return { share: 0, relays: 0, taken: [], lost }
  }
  const relays = await log.ask(countRelaysScript, { consumer, relay, leaseMs })
  const share = Math.ceil(SLOTS / relays)
  let wanted = share - inState('held').length
  let free = inState('free')
  const taken: TakenSlot[] = []
  while (wanted > 0 && free.length > 0) {
    const slots = free.slice(0, wanted)
    free = free.slice(slots.length)
    const answers = await log.askSlots(takeSlotsScript, slots, (some) => ({
      consumer,
      relay,
      leaseMs,
      slots: some,
    }))
    taken.push(...answers.flat())
    wanted = share - inState('held').length - taken.length
  }
  return { share, relays, taken, lost }
}

/**
 * Cursors that are not there, of a consumer that nobody retired, were lost: with the server's memory, or
 * with a node. The consumer begins in these slots with what is there, some of which it may have passed.
 */
async function restore(log: LogState, consumer: string, slots: readonly number[]): Promise<void> {
  if (await log.ask(isRetiredScript, { consumer, begins: false })) return
  const subscription = { consumer, types: null, startAt: 'beginning' } as const
  await log.askSlots(subscribeScript, slots, (some) => ({ slots: some, subscription }))
  process.emitWarning(
    `Redis has lost ${slots.length} of the cursors of consumer "${consumer}". It goes on with the oldest ` +
      'events that are there; some that it has taken effect for may come again.',
    { code: 'ONCEKEY', type: 'OncekeyWarning' },
  )
}
