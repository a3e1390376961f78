import type { DeadLetter, DeadLetterFilter } from '@oncekey/core'
import { type KeptDelivery, pageDeadScript } from '../scripts/log/page-dead.ts'
import { deadLetterOf } from './dead-letter.ts'
import type { LogState } from './log-state.ts'
import { allSlots } from './slot-keys.ts'

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
  const queues = allSlots.map((slot) => ({
    slot,
    from: startOf(slot, after),
    letters: [] as KeptDelivery[],
    isOver: false,
  }))
  for (;;) {
    const empty = queues.filter(({ letters, isOver }) => letters.length === 0 && !isOver)
    const pages = await log.askSlots(pageDeadScript, empty, (slots) => ({ slots, most: PAGE }))
    for (const { slot, letters } of pages.flat()) {
      const queue = queues[slot] as (typeof queues)[number]
      queue.letters = [...letters]
      queue.isOver = letters.length < PAGE
      queue.from = `(${letters.at(-1)?.diedAtUs ?? '0'}`
    }
    // Until one runs dry that may have more: the next of all could be in it.
    for (;;) {
      const filled = queues.filter(({ letters }) => letters.length > 0)
      const [oldest] = filled.sort((one, other) => headOf(one) - headOf(other))
      if (oldest === undefined) return
      const kept = oldest.letters.shift() as KeptDelivery
      const letter = deadLetterOf(oldest.slot, kept)
      const { slot } = oldest
      if (isMeant(letter, filter)) {
        yield { slot, number: kept.number, diedAtUs: kept.diedAtUs, letter }
      }
      if (oldest.letters.length === 0 && !oldest.isOver) break
    }
  }
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

function headOf({ letters }: { readonly letters: readonly KeptDelivery[] }): number {
  return Number(letters[0]?.diedAtUs)
}

function isMeant(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  const is = <Value>(wanted: Value | undefined, value: Value): boolean =>
    wanted === undefined || wanted === value
  const deadAtMs = letter.deadAt?.getTime() ?? 0
  return (
    letter.state === 'dead' &&
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

const PAGE = 100
