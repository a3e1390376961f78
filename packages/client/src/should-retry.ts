/** How an attempt was lost: it is unknown whether its request took effect. */
export type LossReason = 'network-error' | 'timeout' | 'body-lost'

/** Why another attempt follows: no complete answer arrived, or the answer asks for it. */
export type RetryReason = LossReason | 'in-progress' | 'status'

/**
 * The app's synchronous decision on an outcome: true to retry, false not to; otherwise the rules
 * decide.
 */
export type ShouldRetry = (outcome: {
  /** The answer, if one arrived; its body must not be read. */
  readonly response: Response | undefined
  /** The error of a lost attempt. */
  readonly error: unknown
  /** The number of the attempt, from 1. */
  readonly attempt: number
}) => boolean | undefined
