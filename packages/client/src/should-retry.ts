/** How an attempt is lost: whether its request took effect is not known. */
export type LossReason = 'network-error' | 'timeout' | 'body-lost'

/** Why another attempt follows: nothing or half of an answer came back, or the answer asks for it. */
export type RetryReason = LossReason | 'in-progress' | 'status'

/** The app's word on an outcome, given at once: true to try again, false not to; else the rules decide. */
export type ShouldRetry = (outcome: {
  /** The answer, if one came; its body may not be read. */
  readonly response: Response | undefined
  /** What a lost attempt failed with. */
  readonly error: unknown
  /** The number of the attempt; the first is 1. */
  readonly attempt: number
}) => boolean | undefined
