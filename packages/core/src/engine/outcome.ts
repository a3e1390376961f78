import type { PlainResponse } from '../contracts/stored-response.ts'
import type { ProblemCode } from '../errors/errors.ts'

/** What the adapter sends in place of the handler's response: the stored response, or a problem. */
export type Answer =
  | { readonly kind: 'replay'; readonly response: PlainResponse }
  | {
      readonly kind: 'problem'
      readonly code: ProblemCode
      readonly detail: string
      readonly response: PlainResponse
      /** For `outcome-unknown`: when the lost attempt was last known to run. */
      readonly since?: Date
      /** For `outcome-unknown`: the name of that attempt. */
      readonly attempt?: string
      /** The error of the store, for the caller's own logs. Never sent to the client. */
      readonly cause?: unknown
    }

/**
 * What the adapter does with the response it captured: `send` it as it is, or send this answer
 * instead.
 */
export type RunOutcome = { readonly kind: 'send' } | Answer | Failure

/**
 * A function among the app's options failed after the handler, and everything was undone. `error`
 * is for the framework's error handler; `response` is sent where there is none.
 */
export interface Failure {
  readonly kind: 'failure'
  readonly error: unknown
  readonly response: PlainResponse
}
