import type { Position } from '@oncekey/core'

/**
 * The parts of a position. A reader at a position has read everything visible in `from`, and of
 * what is visible in `to` everything up to number `seq`. Transactions that began after `from` have
 * numbers above `floor`.
 */
export interface ParsedPosition {
  /** The life of the server that gave the numbers out: see decision 114. */
  readonly life: string
  readonly from: string
  /** `null`: the next reading takes its own snapshot. */
  readonly to: string | null
  readonly floor: number
  readonly seq: number
}

export function positionOf(position: ParsedPosition): Position {
  return `${positionPrefix(position)}${position.seq}`
}

/** A position without its number: it is the same for all events of a page. */
export function positionPrefix({ life, from, to, floor }: Omit<ParsedPosition, 'seq'>): string {
  return `${life}|${from}|${to ?? ''}|${floor}|`
}

export function parsePosition(position: Position): ParsedPosition {
  const [life = '', from = '', to = '', floor, seq] = position.split('|')
  return { life, from, to: to === '' ? null : to, floor: Number(floor), seq: Number(seq) }
}

/** The number at the end of an event's position. */
export function seqOf(position: Position): string {
  return position.slice(position.lastIndexOf('|') + 1)
}
