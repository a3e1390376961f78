import type { Position } from '@oncekey/core'

/**
 * A position, taken apart. A reader there has had what is visible in `from`, and of what is visible
 * in `to` all up to number `seq`. What began after `from` is numbered above `floor`.
 */
export interface Place {
  readonly from: string
  /** `null`: the next reading takes a snapshot of its own. */
  readonly to: string | null
  readonly floor: number
  readonly seq: number
}

export function positionOf({ from, to, floor, seq }: Place): Position {
  return `${placePrefix(from, to, floor)}${seq}`
}

/** All of a position but its number: the same for every event of a page. */
export function placePrefix(from: string, to: string | null, floor: number): string {
  return `${from}|${to ?? ''}|${floor}|`
}

export function placeOf(position: Position): Place {
  const [from = '', to = '', floor, seq] = position.split('|')
  return { from, to: to === '' ? null : to, floor: Number(floor), seq: Number(seq) }
}

/** The number that an event's position ends with. */
export function seqOf(position: Position): string {
  return position.slice(position.lastIndexOf('|') + 1)
}
