/** What became of one dead letter that was asked for. */
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
}

/** What became of a letter that was to be redriven with other data. */
export type Replaced =
  | {
      readonly outcome: 'replaced'
      /** The delivery that took its place. */
      readonly id: string
      readonly eventId: string
    }
  | { readonly outcome: Exclude<Resolution['outcome'], 'discarded'> }
