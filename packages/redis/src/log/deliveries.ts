import { type Due, type EventLog, PAGE_BYTES, type TakeDue } from '@oncekey/core'
import { type NextDue, nextDueScript } from '../scripts/log/next-due.ts'
import { pageRetryingScript } from '../scripts/log/page-retrying.ts'
import { startDeliveriesScript } from '../scripts/log/start-deliveries.ts'
import type { LogState } from './log-state.ts'
import { eventOnFile } from './logged-entry.ts'

/**
 * Looks what is due in all slots, chooses, and counts a start for what was chosen. Only the holder of
 * a slot starts its deliveries, so nothing can come between the two; if the slot was lost meanwhile,
 * nothing of it is started.
 */
export async function takeDue(log: LogState, request: TakeDue): Promise<Due> {
  const { consumer, slots: held, except, limit, types = null, maxBytes = PAGE_BYTES } = request
  const under = new Set(except)
  const looked = await log.askSlots(nextDueScript, held, (slots) => ({
    consumer,
    slots,
    most: limit + except.length + 1,
    types,
  }))
  const waiting = looked
    .flat()
    .filter((each) => !under.has(idOf(each)))
    .sort((one, other) => one.inMs - other.inMs)
  const due = waiting.filter(({ inMs }) => inMs === 0).slice(0, limit)
  const dubious = due.find(({ isDubious }) => isDubious)
  const chosen = new Set(dubious === undefined ? due : [dubious])

  const bySlot = new Map<number, { slot: number; epoch: string; numbers: number[] }>()
  for (const { slot, epoch, number } of chosen) {
    const some = bySlot.get(slot) ?? { slot, epoch, numbers: [] }
    some.numbers.push(number)
    bySlot.set(slot, some)
  }
  const started = await log.askSlots(startDeliveriesScript, [...bySlot.values()], (slots) => ({
    consumer,
    slots,
    maxBytes,
  }))
  const byId = new Map(started.flat().map((each) => [idOf(each), each]))
  return {
    // In the order in which they are due.
    deliveries: [...chosen].flatMap((each) => {
      const delivery = byId.get(idOf(each))
      if (delivery === undefined) return []
      const { event, data, attempts, starts, redrives } = delivery
      return { id: idOf(each), event: eventOnFile(event, data), attempts, starts, redrives }
    }),
    nextInMs: waiting.find((each) => !byId.has(idOf(each)))?.inMs ?? null,
  }
}

/** What an ordered consumer would have to hold. */
export async function heldKeys(
  log: LogState,
  { consumer, slots: asked }: Parameters<EventLog['held']>[0],
): ReturnType<EventLog['held']> {
  const held = new Map<string, { slot: number; orderingKey: string; count: number }>()
  for (const slot of asked) {
    for (let from = 0; ; from += PAGE) {
      const events = await log.ask(pageRetryingScript, { consumer, slot, from, most: PAGE })
      for (const text of events) {
        const { orderingKey } = eventOnFile(text, '')
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
