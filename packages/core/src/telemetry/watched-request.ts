import type { RequestTrace } from './traces.ts'

/** The state of a request that is traced; {@link RequestTrace} is what subscribers see. */
export interface WatchedRequest {
  readonly context: RequestTrace
  /** When the store decided on the claim, and when the handler answered, by `performance.now()`. */
  decidedAt: number
  answeredAt: number
}
