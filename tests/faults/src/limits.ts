/** The time limits of a campaign, short enough for a fault to outlast them. Milliseconds. */
export const limits = {
  handlerTimeoutMs: 4_000,
  leaseMs: 2_000,
  waitMs: 400,
  acquireTimeoutMs: 1_500,
  commitTimeoutMs: 3_000,
  commandTimeoutMs: 1_500,
  replicationTimeoutMs: 300,
  /**
   * The time limits of a statement of the log and of a consumer's attempt, and the lease of a
   * relay.
   */
  logTimeoutMs: 8_000,
  attemptTimeoutMs: 8_000,
  relayLeaseMs: 10_000,
  /** How long a client waits for one request. */
  requestTimeoutMs: 8_000,
  /**
   * How long a key can be taken: in transaction mode the store ends a transaction after twice the
   * handler's time.
   */
  longestHoldMs: 8_000,
} as const
