/** The times everything in a campaign goes by, short enough for a fault to outlast them. Milliseconds. */
export const limits = {
  handlerTimeoutMs: 4_000,
  leaseMs: 2_000,
  waitMs: 400,
  acquireTimeoutMs: 1_500,
  commitTimeoutMs: 3_000,
  commandTimeoutMs: 1_500,
  replicationTimeoutMs: 300,
  /** Of a statement of the log, of one try of a consumer, and of a relay. */
  logTimeoutMs: 8_000,
  attemptTimeoutMs: 8_000,
  relayLeaseMs: 10_000,
  /** A client's patience with one request. */
  requestTimeoutMs: 8_000,
  /** In transaction mode the store's backstop is twice the handler's time. */
  longestHoldMs: 8_000,
} as const
