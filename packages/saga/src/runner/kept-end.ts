import type { OutboxEvent } from '@oncekey/core'
import type { Failure } from '../run/move.ts'
import type { Action } from '../run/next-action.ts'

/**
 * How an attempt ended, kept because the server has refused to record it, or because nobody knows
 * whether it did. The process that still has the run reads it again, under a new epoch that no
 * earlier record can have. If the attempt is not on record, it sends the record once more, instead
 * of calling the function again. The end of a function that wrote in its transaction is not kept:
 * what it wrote is gone with the record.
 */
export interface KeptEnd {
  readonly action: Pick<Action, 'direction' | 'position' | 'attempt'>
  readonly end: EndOfCall
  readonly events: readonly OutboxEvent[]
  /** By `performance.now()`. */
  readonly startedAt: number
}

/** What a step's function came to. `result` is JSON text. */
export type EndOfCall = { readonly result: string } | Failure

/**
 * What is kept, if it is the end of this very attempt. It is not if the run has been cancelled
 * meanwhile, or if the record turns out to be written.
 */
export function keptFor(kept: KeptEnd | undefined, action: Action): KeptEnd | undefined {
  const { direction, position, attempt } = action
  const of = kept?.action
  const isSame = of?.direction === direction && of.position === position && of.attempt === attempt
  return isSame ? kept : undefined
}
