/** What became of one dead letter that a call named or matched. */
export interface Resolution {
  readonly id: string
  readonly outcome:
    | 'discarded'
    /** The event has taken effect, so there is nothing to redrive. */
    | 'already-done'
    | 'already-discarded'
    | 'retrying'
    /**
     * Still dead: the rest of the filter does not match it, the limit was reached, or somebody else
     * is working on it.
     */
    | 'not-matched'
    /** Its consumer was retired, so there is nobody to deliver it to. */
    | 'retired'
    | 'unknown'
    /**
     * The source failed before it had told what became of it, after it had told what became of
     * others. It may be discarded or redriven.
     */
    | 'failed'
  /** How the source failed, for `failed`. */
  readonly message?: string
}

/** The result of redriving a letter with other data. */
export type Replaced =
  | {
      readonly outcome: 'replaced'
      /** The delivery that took the letter's place. */
      readonly id: string
      readonly eventId: string
    }
  | { readonly outcome: Exclude<Resolution['outcome'], 'discarded'> }
