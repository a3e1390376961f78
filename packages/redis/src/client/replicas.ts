/** How many replicas, and how long to wait for them. */
export interface Replicas {
  readonly count: number
  /** Milliseconds. */
  readonly timeoutMs: number
}

/** For an error: fewer replicas than configured have what was written. */
export function tooFew(acknowledged: number, { count, timeoutMs }: Replicas): Error {
  return new Error(
    `${acknowledged} of ${count} replicas had it within ${timeoutMs} ms; ` +
      'the primary has it, and a failover could lose it',
  )
}
