/** How many replicas, and how long to wait for them. */
export interface Replicas {
  readonly count: number
  /** Milliseconds. */
  readonly timeoutMs: number
}
