import type { ProblemCode, RequestTrace } from '@oncekey/core'

export type RequestOutcome =
  | 'committed'
  | 'refused'
  | 'undone'
  | 'replayed'
  | 'failed'
  | ProblemCode

/**
 * The outcome of a request as one of a few words, for a label:
 *
 * - `committed`, `refused`: a handler ran, and its response is on record; with `refused` its writes
 *   were undone
 * - `undone`: a handler ran and nothing of it is kept, so a retry runs it again
 * - `replayed`: answered from the record; of a completion: its attempt had lost its key to another,
 *   whose answer was sent
 * - the code of a problem that was answered, such as `in-progress` or `store-unavailable`
 * - `failed`: one of the app's option functions threw
 */
export function requestOutcome({
  code,
  decision,
  disposition,
  outcome,
  error,
}: RequestTrace): RequestOutcome {
  if (code !== undefined) return code
  if (decision === 'replay' || outcome === 'superseded') return 'replayed'
  if (outcome === 'stored') return disposition === 'refuse' ? 'refused' : 'committed'
  if (outcome === 'undone') return 'undone'
  return error === undefined ? 'undone' : 'failed'
}
