import { type Lease, type LeaseRequest, SLOTS, type TakenSlot } from '@oncekey/core'
import { allSlots } from './keys/slot-keys.ts'
import { subscribeScript } from './scripts/consumers/subscribe.ts'
import { isRetiredScript } from './scripts/retirement/is-retired.ts'
import { countRelaysScript } from './scripts/slots/count-relays.ts'
import { renewSlotsScript } from './scripts/slots/renew-slots.ts'
import { takeSlotsScript } from './scripts/slots/take-slots.ts'
import { isAway, type LogState } from './state/log-state.ts'

/**
 * Renews the slots that a relay holds, counts the relays, and takes free slots up to a fair share.
 * These are three calls, because in a cluster no script sees all slots. Only the last one takes
 * slots, and it checks again that they are free: if two relays want the same slot, one gets it and
 * the other tries the next.
 */
export async function leaseSlots(
  log: LogState,
  request: LeaseRequest,
  isSubscribed: boolean,
): Promise<Lease & { readonly isRetired: boolean }> {
  const { consumer, relay, leaseMs, holding, waiting = false } = request
  const epochs = new Map(holding.map(({ slot, epoch }) => [slot, epoch]))
  const asked = allSlots.map((slot) => ({ slot, epoch: epochs.get(slot) ?? '' }))
  const renewed = await log.askSlotsThere(renewSlotsScript, asked, (slots) => ({
    consumer,
    relay,
    leaseMs,
    slots,
  }))
  const away = new Set(renewed.away.map(({ slot }) => slot))
  const there = allSlots.filter((slot) => !away.has(slot))
  const states = renewed.replies.flat()
  const inState = (wanted: (typeof states)[number]): number[] =>
    there.filter((_, at) => states[at] === wanted)
  // Slots on a node that is away are not renewed. When the node is back, the first relay that asks
  // takes them.
  const again = inState('again')
  const lost = [...inState('lost'), ...again, ...[...away].filter((slot) => epochs.has(slot))]
  const unknown = inState('unknown')
  const isRetired =
    unknown.length > 0 && isSubscribed && !(await isRestored(log, consumer, unknown))
  const none = { share: 0, relays: 0, taken: [], lost, isRetired }
  if (unknown.length === SLOTS) return none

  if (waiting) {
    await countRelays(log, consumer, relay, 0)
    return none
  }
  // If the node that counts the relays is away, the relay that asks first gets all free slots. They
  // are shared out later.
  const relays = (await countRelays(log, consumer, relay, leaseMs)) ?? 1
  const share = Math.ceil(SLOTS / relays)
  let wanted = share - inState('held').length
  // Starts with the slots of this relay itself: no other relay can have them until their lease
  // ends.
  let free = [...again, ...inState('free')]
  const taken: TakenSlot[] = []
  while (wanted > 0 && free.length > 0) {
    const slots = free.slice(0, wanted)
    free = free.slice(slots.length)
    const { replies } = await log.askSlotsThere(takeSlotsScript, slots, (some) => ({
      consumer,
      relay,
      leaseMs,
      slots: some,
    }))
    taken.push(...replies.flat())
    wanted = share - inState('held').length - taken.length
  }
  return { share, relays, taken, lost, isRetired }
}

/** The number of relays; `undefined` if the node that counts them is away. */
async function countRelays(
  log: LogState,
  consumer: string,
  relay: string,
  leaseMs: number,
): Promise<number | undefined> {
  try {
    return await log.ask(countRelaysScript, { consumer, relay, leaseMs })
  } catch (error) {
    if (log.client.isCluster === true && isAway(error)) return undefined
    throw error
  }
}

/**
 * Restores the cursors of a consumer, and returns true, unless the consumer was retired. If a
 * cursor is missing and the consumer was not retired, it was lost with the server's memory or with
 * a node. The consumer starts in such a slot with the oldest event there, and gets events again
 * that it had passed.
 */
async function isRestored(
  log: LogState,
  consumer: string,
  slots: readonly number[],
): Promise<boolean> {
  if (await log.ask(isRetiredScript, { consumer, begins: false })) return false
  const subscription = { consumer, types: null, startAt: 'beginning' } as const
  await log.askSlots(subscribeScript, slots, (some) => ({ slots: some, subscription }))
  process.emitWarning(
    `Redis has lost ${slots.length} of the cursors of consumer "${consumer}". It continues with the oldest ` +
      'events that are there, and may get some again that it has already handled.',
    { code: 'ONCEKEY', type: 'OncekeyWarning' },
  )
  return true
}
