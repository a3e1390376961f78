import type { Position } from '@oncekey/core'

/**
 * The parts of a position. A reader at this position has read everything that is visible in the
 * snapshot `from`, and, of what is visible in the snapshot `to`, everything up to number `seq`. The
 * events of transactions that began after `from` have numbers above `floor`.
 */
export interface ParsedPosition {
  /** The life of the server that handed these numbers out: see decision 114. */
  readonly life: string
  readonly from: string
  /** `null` if the next reading takes a new snapshot. */
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
