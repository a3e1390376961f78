/**
 * An attempt that ended without reporting its outcome: the argument of a `whenUnknown` function.
 */
export interface UnknownOutcome {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  /** When the attempt was last known to run. */
  readonly since: Date
  /** Derives the keys that the lost attempt used, to look up its outside calls. */
  deriveKey(label: string): string
}

/**
 * What a `whenUnknown` function found out: nothing happened (`retake` runs the handler again),
 * still unclear (`hold` answers 409, unless the key was answered or freed meanwhile), or the
 * response that the lost attempt should have had.
 */
export type Reconciliation =
  | 'retake'
  | 'hold'
  | {
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string | Uint8Array
    }

/** Lease mode: what to do with attempts that ended without reporting their outcome. */
export type WhenUnknown =
  | 'retake'
  | 'hold'
  | ((outcome: UnknownOutcome) => Reconciliation | Promise<Reconciliation>)

/** What a store warns of when it has not been able to give a claim back. */
export const NOT_GIVEN_BACK: string =
  'A claim whose handler did not run was not given back: that failed for an hour, too many waited ' +
  "for it, or the pool was ended first. If the server carried it out, its key is `unknown` once the lease is over: a retry runs the handler, or with `whenUnknown: 'hold'` an " +
  'operator has to release the key.'

/** What a store warns of when it has not been able to put the end of an attempt on record. */
export const NOT_ENDED: string =
  'The end of an attempt was not put on record: that failed for an hour, too many waited for it, ' +
  'or the pool was ended first (`await drain()` before that). Its key is `unknown` once the lease is over: a retry runs the handler again, or with ' +
  "`whenUnknown: 'hold'` an operator has to release or answer the key."
