import type { RequestTrace } from './traces.ts'

/** The state of a request that is traced; {@link RequestTrace} is what subscribers see. */
export interface WatchedRequest {
  readonly context: RequestTrace
  /** When the store decided on its claim, and when its handler answered. `performance.now()`. */
  decidedAt: number
  answeredAt: number
}
