import type { Operation, OutboxEvent } from '@oncekey/core'

/** What all instances of a plain store share, like a database. */
export interface Table {
  readonly rows: Map<string, Row>
  readonly events: OutboxEvent[]
  readonly written: Set<string>
  /** Tokens of attempts that were released, abandoned or replaced, and that of none. */
  readonly over: Set<string>
  /** What operators did to its keys. */
  readonly trail: Operation[]
  now: number
  /** Ends all waiting calls. */
  isClosed: boolean
}

export interface Row {
  state: 'running' | 'finished'
  fingerprint: string
  token: string
  number: number
  /** When the first attempt claimed the key. */
  claimedAt: number
  leaseUntil: number
  finishedAt: number
  response: unknown
}

/** A handler's transaction, which holds its rows until the commit. */
export interface PlainTransaction {
  readonly staged: Set<string>
  isOver: boolean
  /** A statement has failed: nothing of it can be committed. */
  hasFailed: boolean
}

/** How a claim names the attempt that it takes over. */
export function nameOf({ number, claimedAt }: Row): string {
  return `${number}.${claimedAt}`
}
