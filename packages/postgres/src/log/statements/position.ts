import type { Position } from '@oncekey/core'

/**
 * The parts of a position. A reader at it has read everything visible in `from`, and of what is visible in
 * `to` everything up to number `seq`. What began after `from` has a number above `floor`.
 */
export interface ParsedPosition {
  /** The life of the server that gave the numbers: see decision 114. */
  readonly life: string
  readonly from: string
  /** `null`: the next reading takes a snapshot of its own. */
  readonly to: string | null
  readonly floor: number
  readonly seq: number
}

export function positionOf(position: ParsedPosition): Position {
  return `${positionPrefix(position)}${position.seq}`
}

/** All of a position but its number: the same for every event of a page. */
export function positionPrefix({ life, from, to, floor }: Omit<ParsedPosition, 'seq'>): string {
  return `${life}|${from}|${to ?? ''}|${floor}|`
}

export function parsePosition(position: Position): ParsedPosition {
  const [life = '', from = '', to = '', floor, seq] = position.split('|')
  return { life, from, to: to === '' ? null : to, floor: Number(floor), seq: Number(seq) }
}

/** The number that an event's position ends with. */
export function seqOf(position: Position): string {
  return position.slice(position.lastIndexOf('|') + 1)
}
