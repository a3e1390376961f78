import type { DeadLetter, DeadLetterFilter } from '@oncekey/core'
import { deadLetterOf } from './dead-letter.ts'
import { allSlots } from './keys/slot-keys.ts'
import type { LogState } from './log-state.ts'
import {
  type KeptDelivery,
  pageDeadScript,
  pickDeadScript,
} from './scripts/deliveries/page-dead.ts'

/** A dead letter and its place in the order of all of them. */
export interface DeadOne {
  readonly slot: number
  readonly number: number
  readonly diedAtUs: string
  readonly letter: DeadLetter
}

/** When and where it died: what a page goes on behind. */
export type Place = `${string}.${number}`

/**
 * Those that match, the oldest first: the streams of all slots merged into one, in portions. Everything
 * that takes a filter goes through here, so that a preview says what a redrive will do.
 */
export async function* deadInOrder(
  log: LogState,
  filter: DeadLetterFilter,
  after?: Place,
): AsyncGenerator<DeadOne> {
  const ones = filter.ids === undefined ? walked(log, filter, after) : named(log, filter, after)
  for await (const one of ones) if (isMeant(one.letter, filter)) yield one
}

/** Those that are named: they are looked for where they are, however many others there are. */
async function* named(
  log: LogState,
  filter: DeadLetterFilter,
  after: Place | undefined,
): AsyncGenerator<DeadOne> {
  const isRetired = filter.retired === true
  const found: DeadOne[] = []
  for (const slots of inPortions(slotsOf(filter.ids ?? []))) {
    const pages = await log.askSlots(pickDeadScript, slots, (some) => ({ slots: some, isRetired }))
    for (const { slot, letters } of pages.flat()) {
      for (const kept of letters) found.push(deadOne(slot, kept))
    }
  }
  found.sort((one, other) => Number(one.diedAtUs) - Number(other.diedAtUs) || one.slot - other.slot)
  for (const one of found) if (after === undefined || isBehind(one, after)) yield one
}

async function* walked(
  log: LogState,
  filter: DeadLetterFilter,
  after: Place | undefined,
): AsyncGenerator<DeadOne> {
  const isRetired = filter.retired === true
  const queues = allSlots.map((slot) => ({
    slot,
    from: startOf(slot, after),
    letters: [] as KeptDelivery[],
    next: 0,
    head: Number.POSITIVE_INFINITY,
    isOver: false,
  }))
  for (;;) {
    const empty = queues.filter(({ head, isOver }) => head === Number.POSITIVE_INFINITY && !isOver)
    // Of many slots at once a few of each: the server has nothing else to give meanwhile.
    const most = Math.max(1, Math.floor(AT_ONCE / empty.length))
    const pages = await log.askSlots(pageDeadScript, empty, (slots) => ({ slots, isRetired, most }))
    for (const { slot, letters } of pages.flat()) {
      const queue = queues[slot] as (typeof queues)[number]
      queue.letters = [...letters]
      queue.next = 0
      queue.head = headOf(queue)
      queue.isOver = letters.length < most
      queue.from = `(${letters.at(-1)?.diedAtUs ?? '0'}`
    }
    // Until one runs dry that may have more: the next of all could be in it.
    for (;;) {
      let oldest: (typeof queues)[number] | undefined
      for (const queue of queues) {
        if (queue.head < (oldest?.head ?? Number.POSITIVE_INFINITY)) oldest = queue
      }
      if (oldest === undefined) return
      yield deadOne(oldest.slot, oldest.letters[oldest.next] as KeptDelivery)
      oldest.next += 1
      oldest.head = headOf(oldest)
      if (oldest.head === Number.POSITIVE_INFINITY && !oldest.isOver) break
    }
  }
}

function deadOne(slot: number, kept: KeptDelivery): DeadOne {
  const { number, diedAtUs } = kept
  return { slot, number, diedAtUs, letter: deadLetterOf(slot, kept) }
}

/** What is no id of ours is nowhere. */
export function slotsOf(ids: readonly string[]): { slot: number; numbers: string[] }[] {
  const bySlot = new Map<number, string[]>()
  for (const id of new Set(ids)) {
    const [, slot, number] = /^(\d{1,2})-([1-9]\d{0,14})$/.exec(id) ?? []
    if (slot === undefined || number === undefined || !allSlots.includes(Number(slot))) continue
    bySlot.set(Number(slot), [...(bySlot.get(Number(slot)) ?? []), number])
  }
  return [...bySlot].map(([slot, numbers]) => ({ slot, numbers }))
}

/** Cut up so that a script has so many deliveries to deal with, and leaves the server to others after. */
export function inPortions<Item extends { readonly numbers: readonly (string | number)[] }>(
  items: readonly Item[],
): Item[][] {
  const portions: Item[][] = []
  let room = 0
  for (const item of items) {
    for (let at = 0; at < item.numbers.length; ) {
      if (room === 0) {
        portions.push([])
        room = AT_ONCE
      }
      const numbers = item.numbers.slice(at, at + room)
      portions.at(-1)?.push({ ...item, numbers })
      at += numbers.length
      room -= numbers.length
    }
  }
  return portions
}

export function placeOf({ diedAtUs, slot }: DeadOne): Place {
  return `${diedAtUs}.${slot}`
}

/** Of two that died at once, the one in the lower slot comes first. */
function startOf(slot: number, after: Place | undefined): string {
  if (after === undefined) return '-inf'
  const [diedAtUs, lastSlot] = after.split('.')
  return slot <= Number(lastSlot) ? `(${diedAtUs}` : `${diedAtUs}`
}

function isBehind({ slot, diedAtUs }: DeadOne, after: Place): boolean {
  const [lastDiedAtUs, lastSlot] = after.split('.').map(Number) as [number, number]
  const laterBy = Number(diedAtUs) - lastDiedAtUs
  return laterBy > 0 || (laterBy === 0 && slot > lastSlot)
}

function headOf(queue: {
  readonly letters: readonly KeptDelivery[]
  readonly next: number
}): number {
  const head = queue.letters[queue.next]
  return head === undefined ? Number.POSITIVE_INFINITY : Number(head.diedAtUs)
}

function isMeant(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const is = <Value>(wanted: Value | undefined, value: Value): boolean =>
    wanted === undefined || wanted === value
  const deadAtMs = letter.deadAt?.getTime() ?? 0
  return (
    letter.state === (filter.retired === true ? 'retired' : 'dead') &&
    (filter.ids === undefined || filter.ids.includes(letter.id)) &&
    (filter.eventIds === undefined || filter.eventIds.includes(letter.eventId)) &&
    is(filter.origin, letter.origin) &&
    is(filter.type, letter.type) &&
    is<string | null>(filter.subject, letter.subject) &&
    is<string | null>(filter.reason, letter.reason) &&
    is(filter.fingerprint, letter.error?.fingerprint) &&
    (filter.deadBefore === undefined || deadAtMs < filter.deadBefore.getTime()) &&
    (filter.deadAfter === undefined || deadAtMs > filter.deadAfter.getTime())
  )
}

/** Deliveries that one script deals with: some 10 ms of the server's time, of which 6,400 took 300. */
const AT_ONCE = 256
