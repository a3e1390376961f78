import { randomUUID } from 'node:crypto'
import { type Due, type EventLog, PAGE_BYTES, type TakeDue, upToBytes } from '@oncekey/core'
import { type NextDue, nextDueScript } from './scripts/deliveries/next-due.ts'
import { pageRetryingScript } from './scripts/deliveries/page-retrying.ts'
import { startDeliveriesScript } from './scripts/deliveries/start-deliveries.ts'
import type { LogState } from './state/log-state.ts'
import { eventOnFile } from './state/logged-entry.ts'

/**
 * Finds due deliveries in all slots, chooses some, and counts a start for each. These are two
 * calls, between which no other relay can start a delivery, because only the holder of a slot does.
 * If a slot was lost in between, none of its deliveries starts.
 */
export async function takeDue(log: LogState, request: TakeDue): Promise<Due> {
  const { consumer, slots: held, except, limit, types = null, maxBytes = PAGE_BYTES } = request
  const under = new Set(except)
  const most = limit + except.length + 1
  // If the consumer has `types`, the script reads events, up to 2,000 in a slot, so each slot gets
  // its own call. On a cluster, `askSlotsThere` splits by slot itself, so it is given all slots.
  const isWhole = types === null || log.client.isCluster === true
  const portions = isWhole ? [held] : held.map((slot) => [slot])
  const looks = portions.map((portion) =>
    log.askSlotsThere(nextDueScript, portion, (slots) => ({ consumer, slots, most, types })),
  )
  const looked = (await Promise.all(looks)).flatMap(({ replies }) => replies)
  const waiting = looked
    .flat()
    .filter((each) => !under.has(idOf(each)))
    .sort((one, other) => one.inMs - other.inMs)
  const first = waiting.filter(({ inMs }) => inMs <= 0).slice(0, limit)
  const due = upToBytes(first, maxBytes, ({ bytes }) => bytes)
  const dubious = due.find(({ isDubious }) => isDubious)
  const chosen = new Set(dubious === undefined ? due : [dubious])

  const bySlot = new Map<number, { slot: number; epoch: string; numbers: number[] }>()
  for (const { slot, epoch, number } of chosen) {
    const some = bySlot.get(slot) ?? { slot, epoch, numbers: [] }
    some.numbers.push(number)
    bySlot.set(slot, some)
  }
  const start = randomUUID()
  // A node that answered the first call may be away by the second, or refuse what writes.
  const { replies: started, away } = await log.askSlotsThere(
    startDeliveriesScript,
    [...bySlot.values()],
    (slots) => ({ consumer, start, slots }),
  )
  const byId = new Map(started.flat().map((each) => [idOf(each), each]))
  const slotsAway = new Set(away.map(({ slot }) => slot))
  const next = waiting.find((each) => !byId.has(idOf(each)) && !slotsAway.has(each.slot))
  return {
    // In the order in which they are due.
    deliveries: [...chosen].flatMap((each) => {
      const delivery = byId.get(idOf(each))
      if (delivery === undefined) return []
      const { event, data, attempts, starts, redrives } = delivery
      return { id: idOf(each), event: eventOnFile(event, data), attempts, starts, redrives }
    }),
    nextInMs: next === undefined ? null : Math.max(0, next.inMs),
  }
}

/** For an ordered consumer: the ordering keys that have retrying deliveries, with their number. */
export async function heldKeys(
  log: LogState,
  { consumer, slots: asked, orderingKeys }: Parameters<EventLog['held']>[0],
): ReturnType<EventLog['held']> {
  const held = new Map<string, { slot: number; orderingKey: string; count: number }>()
  for (const slot of asked) {
    for (let from = 0; ; from += PAGE) {
      const events = await log.ask(pageRetryingScript, { consumer, slot, from, most: PAGE })
      for (const text of events) {
        const { orderingKey } = eventOnFile(text, '')
        if (orderingKeys !== undefined && !orderingKeys.includes(orderingKey)) continue
        const each = held.get(orderingKey) ?? { slot, orderingKey, count: 0 }
        each.count += 1
        held.set(orderingKey, each)
      }
      if (events.length < PAGE) break
    }
  }
  return [...held.values()]
}

function idOf({ slot, number }: Pick<NextDue, 'slot' | 'number'>): string {
  return `${slot}-${number}`
}

const PAGE = 500
