import type { AsyncResource } from 'node:async_hooks'
import type { Attempt } from '../contracts/store.ts'
import type { PlainResponse } from '../contracts/stored-response.ts'
import type { Deadline } from '../time/deadlines.ts'
import type { HandlerContext, Handling } from './handler-context.ts'
import type { Answer, RunOutcome } from './outcome.ts'

/**
 * One handler running under one attempt. It ends exactly once: the first call of `complete`,
 * `passThrough` or `abandon` decides, and later calls get the same outcome.
 */
export interface HandlerRun<Tx = unknown> {
  readonly context: HandlerContext<Tx>
  /**
   * An adapter that has collected more bytes than this stops and calls `passThrough`. 0 on a route
   * with `response: 'stream'`.
   */
  readonly maxResponseBytes: number
  /**
   * Resolves if the engine ends the run before the handler has answered. The adapter sends this
   * answer and nothing of the handler's.
   */
  readonly interrupted: Promise<Answer>
  /**
   * `interrupted` as a callback: it allocates no promise, and one run in a million is interrupted.
   */
  onInterrupted(listener: (answer: Answer) => void): void
  /**
   * Calls back when the run ends and its handler has called neither `keep()` nor `release()`.
   * Either still counts then, for an adapter that learns only from what happened last whether the
   * handler ran. `status` is that of the handler's response, `undefined` if there is none. A
   * response over `maxResponseBytes` has one too: after `release()` its client gets it all the
   * same. There is one listener, and it must not throw.
   */
  onUndecided(listener: (status: number | undefined) => void): void
  /**
   * Completes the attempt with the whole response. Resolves after the commit; only then may the
   * first byte leave. Never rejects.
   */
  complete(response: PlainResponse): Promise<RunOutcome>
  /**
   * Ends the run while the handler is still writing a response that is not collected. On a route
   * that streams, the response is recorded without its body and may pass through: `send`. On any
   * other route the response is over `maxResponseBytes` and the run is undone, because no run is
   * committed before its handler has ended. Never rejects.
   */
  passThrough(head: Pick<PlainResponse, 'status' | 'headers'>): Promise<RunOutcome>
  /** Ends the run of a handler that threw or whose stream broke. Never rejects. */
  abandon(): Promise<RunOutcome>
}

/** What `begin` decides for a request: a handler to run, or an answer without running one. */
export type Begun<Tx> = { readonly kind: 'run'; readonly run: HandlerRun<Tx> } | Answer

/** The arguments that start a run. */
export type Start<Tx> = Pick<Ending<Tx>, 'options' | 'attempt' | 'question' | 'askAgain' | 'onOver'>

/** The state of a run inside the engine. */
export interface Running<Tx> extends Handling<Tx> {
  /** Claims the key again after this attempt lost it, to learn what is true of the key now. */
  readonly askAgain: (question: Handling<Tx>['question']) => Promise<Begun<Tx>>
  readonly onOver: () => void
  /**
   * The request's async context. All requests share one timer, which calls a run back in the run's
   * own context.
   */
  scope: AsyncResource | undefined
  deadline: Deadline<Running<Tx>> | undefined
  lease: { stop(): void } | undefined
  ending: Promise<RunOutcome> | undefined
  undecided: ((status: number | undefined) => void) | undefined
  interruption: Answer | undefined
  listeners: ((answer: Answer) => void)[]
}

/** A run that is ending and still holds its attempt. */
export interface Ending<Tx> extends Running<Tx> {
  attempt: Attempt<Tx>
}
