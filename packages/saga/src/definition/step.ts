import type { EmittedEvent } from '@oncekey/core'
import type { Retry } from './retry-policy.ts'

/**
 * What a step may be to its saga.
 *
 * - `compensatable`: may be undone later. The default.
 * - `pivot`: decides. Before it everything can be undone; once it is done the saga only goes forward.
 * - `retriable`: after the pivot; is tried until it succeeds.
 */
export type StepKind = 'compensatable' | 'pivot' | 'retriable'

/** One step of a saga. `State` is what the steps before it returned, by name. */
export interface Step<Input, State, Result, Tx> {
  /** @default 'compensatable' */
  readonly kind?: StepKind

  /**
   * Says that everything this step does is in its transaction. A failed attempt has then done
   * nothing: it is not put on record beforehand, costs one commit, and needs no compensation unless
   * it is done. @default false: it reaches outside
   */
  readonly local?: boolean

  /** Does it. Its result is JSON, or nothing, and is kept; a failure other than a permanent one is tried again. */
  run(context: StepContext<Input, State, Tx>): Result | Promise<Result>

  /**
   * Undoes it, when a later step, or this one, failed for good. It is on record before `run` is
   * called, so it must cope with a `run` that never happened, or whose outcome nobody knows.
   */
  compensate?(context: CompensationContext<Input, State, Result, Tx>): unknown

  readonly retry?: Retry
  readonly compensationRetry?: Retry

  /**
   * How long one attempt may take; then its signal aborts, and it counts as failed. Whatever it returns
   * within a second after that (or `timeoutMs`, if that is less) is waited for, so that it is not tried
   * again or undone while it runs. Milliseconds. @default 60_000
   */
  readonly timeoutMs?: number

  /**
   * Whether an error is permanent, beside {@link PermanentError}: this step did nothing that is left,
   * and trying again cannot help. @default none
   */
  isPermanent?(error: unknown): boolean
}

/** What `run` and `compensate` are given. */
export interface AttemptContext<Input, State, Tx> {
  /** What the run was started with. */
  readonly input: Input
  /** The results of the steps before this one, by name. */
  readonly state: State
  readonly runId: string
  /** 1 for the first. */
  readonly attempt: number
  /** Aborts when the attempt has taken too long, or the run was lost to another process: stop. */
  readonly signal: AbortSignal
  /**
   * For calls outside: the same on every attempt of this step in this run, and another one for its
   * compensation.
   */
  readonly idempotencyKey: string
  /**
   * The transaction that commits with the step's own row; opened when first asked for, so call the
   * outside before it. Whoever has lost the run does not get one.
   */
  transaction(): Promise<Tx>
  /** Adds an event; it is written by the statement that records the step, or not at all. */
  emit(event: EmittedEvent): void
}

export interface StepContext<Input, State, Tx> extends AttemptContext<Input, State, Tx> {}

export interface CompensationContext<Input, State, Result, Tx>
  extends AttemptContext<Input, State, Tx> {
  /** What `run` returned; undefined where it is not known to have finished. */
  readonly result: Stored<Result> | undefined
}

/** A result as it comes back from its row: `undefined` was kept as null. */
// biome-ignore lint/suspicious/noConfusingVoidType: what a function that returns nothing is inferred to return
export type Stored<Result> = [Result] extends [undefined | void]
  ? null
  : undefined extends Result
    ? Exclude<Result, undefined> | null
    : Result
