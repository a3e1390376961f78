import type { EmittedEvent } from '@oncekey/core'
import type { Retry } from './retry-policy.ts'

/**
 * The role of a step in its saga.
 *
 * - `compensatable`: can be undone later. The default.
 * - `pivot`: the point of no return. The steps before it can be undone; after it the saga only goes
 *   forward.
 * - `retriable`: comes after the pivot and is attempted until it succeeds.
 */
export type StepKind = 'compensatable' | 'pivot' | 'retriable'

/** One step of a saga. `State` holds the results of the steps before it, by name. */
export interface Step<Input, State, Result, Tx> {
  /** @default 'compensatable' */
  readonly kind?: StepKind

  /**
   * Declares that the step writes only through its transaction. A failed attempt is then rolled
   * back completely. So the step is recorded only when it succeeds, in the same commit, and is
   * compensated only if it succeeded. @default false: the step has effects outside the database
   */
  readonly local?: boolean

  /**
   * Does the work. The result is stored; it must be JSON or undefined. A failure is retried unless
   * it is permanent.
   */
  run(context: StepContext<Input, State, Tx>): Result | Promise<Result>

  /**
   * Undoes the step, after this step or a later one has failed for good. The step is recorded
   * before `run` is called, so the compensation is also called if `run` never started or if its
   * outcome is unknown.
   */
  compensate?(context: CompensationContext<Input, State, Result, Tx>): unknown

  /** How often `run` is attempted, and how long to wait in between. */
  readonly retry?: Retry
  /** The same for `compensate`. */
  readonly compensationRetry?: Retry

  /**
   * Time limit of one attempt. When it expires, the signal aborts and the attempt counts as failed.
   * The runner then waits for the function to return, for a second at most, or for `timeoutMs` if
   * that is less, so that a retry or a compensation does not overlap with the function. One that
   * has not returned by then may overlap.
   * Milliseconds. @default 60_000
   */
  readonly timeoutMs?: number

  /**
   * Decides which errors are permanent, besides {@link PermanentError}: the attempt left no effect,
   * and another one cannot succeed. It is not asked about errors that the runner itself makes: the
   * time limit, and what `transaction()` and `emit()` throw. Of an error with which the database
   * refuses the COMMIT of a function that has returned, it decides only whether another attempt is
   * made. @default none
   */
  isPermanent?(error: unknown): boolean
}

/** The argument of `run` and `compensate`. */
export interface AttemptContext<Input, State, Tx> {
  /** The input that the run was started with. Each attempt gets a copy of its own. */
  readonly input: Input
  /** The results of the steps before this one, by name. Each attempt gets copies of its own. */
  readonly state: State
  readonly runId: string
  /** The number of the attempt, from 1. */
  readonly attempt: number
  /**
   * Aborts when the attempt exceeds its time limit, the run is cancelled or lost to another
   * process, or the runner stops.
   */
  readonly signal: AbortSignal
  /**
   * The key to send with calls to other systems. It is the same for every attempt of this step in
   * this run, and different for its compensation.
   */
  readonly idempotencyKey: string
  /**
   * Opens the transaction that also commits the step's record. It opens on the first call, so call
   * other systems before that. Throws if another process has taken the run.
   */
  transaction(): Promise<Tx>
  /** Adds an event. The event is written by the statement that records the step, or not at all. */
  emit(event: EmittedEvent): void
}

export interface StepContext<Input, State, Tx> extends AttemptContext<Input, State, Tx> {}

export interface CompensationContext<Input, State, Result, Tx>
  extends AttemptContext<Input, State, Tx> {
  /** What `run` returned, or undefined if it is not known to have finished. */
  readonly result: Stored<Result> | undefined
}

/** A result as it is read from the database, where `undefined` is stored as null. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function that returns nothing is inferred to return
export type Stored<Result> = [Result] extends [undefined | void]
  ? null
  : undefined extends Result
    ? Exclude<Result, undefined> | null
    : Result
