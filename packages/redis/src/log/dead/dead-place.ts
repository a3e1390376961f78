import type { DeadLetter, DeadLetterFilter } from '@oncekey/core'
import type { KeptDelivery } from '../scripts/dead/page-dead.ts'
import { deadLetterOf } from './dead-letter.ts'

/** A dead letter and its place in the order of all of them. */
export interface DeadOne {
  readonly slot: number
  readonly number: number
  readonly diedAtUs: string
  readonly letter: DeadLetter
}

/**
 * When and in which slot a letter died, which is its place in the order of all letters. The next
 * page starts behind it.
 */
export type Place = `${string}.${number}`

export function deadOne(slot: number, kept: KeptDelivery): DeadOne {
  const { number, diedAtUs } = kept
  return { slot, number, diedAtUs, letter: deadLetterOf(slot, kept) }
}

export function placeOf({ diedAtUs, slot }: DeadOne): Place {
  return `${diedAtUs}.${slot}`
}

/**
 * The range of places that the times of a filter allow. For retired letters the end is open: a
 * letter may have got a later place when it was retired, so the place does not show whether it died
 * before `deadBefore`.
 */
export function spanOf({ deadAfter, deadBefore, retired = false }: DeadLetterFilter): {
  readonly from: number
  readonly until: string
} {
  return {
    from: deadAfter === undefined ? Number.NEGATIVE_INFINITY : (deadAfter.getTime() + 1) * 1_000,
    until: deadBefore === undefined || retired ? '+inf' : `(${deadBefore.getTime() * 1_000}`,
  }
}

/**
 * Where to start reading a slot. If two letters died at the same time, the one in the lower slot
 * comes first.
 */
export function startOf(slot: number, after: Place | undefined, from: number): string {
  const [diedAtUs = '', lastSlot] = after?.split('.') ?? []
  if (after === undefined || Number(diedAtUs) < from) {
    return from === Number.NEGATIVE_INFINITY ? '-inf' : `${from}`
  }
  return slot <= Number(lastSlot) ? `(${diedAtUs}` : diedAtUs
}

export function isBehind({ slot, diedAtUs }: DeadOne, after: Place): boolean {
  const [lastDiedAtUs, lastSlot] = after.split('.').map(Number) as [number, number]
  const laterBy = Number(diedAtUs) - lastDiedAtUs
  return laterBy > 0 || (laterBy === 0 && slot > lastSlot)
}
