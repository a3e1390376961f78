/** An attempt of which it is not known how it ended: what a reconcile function is asked about. */
export interface UnknownOutcome {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  /** When the attempt was last known to run. */
  readonly since: Date
  /** The same derived keys that the lost attempt used, to look its outside calls up by. */
  deriveKey(label: string): string
}

/**
 * What a reconcile function found: nothing happened (`retake` runs the handler again), still unclear
 * (`hold` answers 409), or the response that the lost attempt should have had.
 */
export type Reconciliation =
  | 'retake'
  | 'hold'
  | {
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string | Uint8Array
    }

/** Lease mode: one policy for attempts that ended without saying how. */
export type WhenUnknown =
  | 'retake'
  | 'hold'
  | ((outcome: UnknownOutcome) => Reconciliation | Promise<Reconciliation>)
