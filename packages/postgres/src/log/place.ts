import type { Position } from '@oncekey/core'

/**
 * A position, taken apart. A reader there has had what is visible in `from`, and of what is visible
 * in `to` all up to number `seq`. What began after `from` is numbered above `floor`.
 */
export interface Place {
  /** The life of the server that the numbers are of: see decision 114. */
  readonly life: string
  readonly from: string
  /** `null`: the next reading takes a snapshot of its own. */
  readonly to: string | null
  readonly floor: number
  readonly seq: number
}

export function positionOf(place: Place): Position {
  return `${placePrefix(place)}${place.seq}`
}

/** All of a position but its number: the same for every event of a page. */
export function placePrefix({ life, from, to, floor }: Omit<Place, 'seq'>): string {
  return `${life}|${from}|${to ?? ''}|${floor}|`
}

export function placeOf(position: Position): Place {
  const [life = '', from = '', to = '', floor, seq] = position.split('|')
  return { life, from, to: to === '' ? null : to, floor: Number(floor), seq: Number(seq) }
}

/** The number that an event's position ends with. */
export function seqOf(position: Position): string {
  return position.slice(position.lastIndexOf('|') + 1)
}
