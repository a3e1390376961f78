import { type DeadLetterSource, OncekeyError, OptionsError, sleep, waitedFor } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { definition, type Saga } from '../definition/saga.ts'
import { sagaDeadLetters } from '../operator/dead-letters.ts'
import { type CompensateOptions, compensate, resume, settle } from '../operator/interventions.ts'
import {
  getRun,
  type ListedRun,
  type ListFilter,
  listRuns,
  type RunState,
  type WholeRun,
} from '../operator/runs.ts'
import { purgeRuns } from '../operator/saga-operator.ts'
import type { RunRequest } from '../run/run-request.ts'
import { places } from '../state/concurrency-limit.ts'
import { leases } from '../state/leases.ts'
import { resolveOptions, type SagaRunnerOptions } from '../state/runner-options.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { statementsFor } from '../state/statements.ts'
import { type ExecuteOptions, execute, submit } from './execute.ts'
import { type Loop, startLoop } from './loop.ts'
import { takeDue } from './poll.ts'

/** Runs sagas, together with the other processes that have a runner on the same schema. */
export interface SagaRunner<Tx> {
  /** How this process is called in the work it has. */
  readonly node: string

  /**
   * Begins a run, or finds the one of that id, brings it forward here when nobody else does, and
   * resolves with its result. However often it is called, each step takes effect once.
   *
   * Rejects with {@link SagaError}: `saga-compensated` (its `cause` is what failed),
   * `saga-compensation-failed`, `saga-stuck`, `saga-settled`, `saga-in-progress` after `waitMs`,
   * `saga-input-mismatch`, `saga-unknown`. Another rejection, such as a database that does not
   * answer, says nothing about the run: it goes on, and calling again finds it.
   */
  execute<Input, Result>(
    // biome-ignore lint/suspicious/noExplicitAny: the state is the saga's own business
    saga: Saga<Input, any, Tx, Result>,
    request: RunRequest<Input> & ExecuteOptions,
  ): Promise<Result>

  /** Puts a run on record for the loop, here or elsewhere, and does not wait: for event consumers and slow flows. */
  submit<Input>(
    // biome-ignore lint/suspicious/noExplicitAny: neither state nor result are asked for
    saga: Saga<Input, any, Tx, any>,
    request: RunRequest<Input>,
  ): Promise<{ readonly id: string; readonly isNew: boolean }>

  /** Takes what is due, at most `concurrency` runs, and brings each forward. Returns how many. */
  runOnce(): Promise<number>
  /** Does that until `stop`. Without it, a run whose process died is only gone on with when it is executed again. */
  start(): void
  /**
   * Takes nothing more, and lets steps that are under way finish for so long; their runs are others'
   * to go on with at once. The rest is aborted and given back, its attempts uncounted: at once where
   * the step's function returns within a second, otherwise for when its lease is over. Resolves two
   * seconds after `timeoutMs` at the latest, also where the database does not answer. `Infinity`
   * waits for all of them; what is no length of time throws `OptionsError`, and nothing is stopped.
   */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>

  /** A run with its steps and its story. */
  get(id: string): Promise<WholeRun | undefined>
  list(filter?: ListFilter): Promise<ListedRun[]>
  /** Has a run that is stuck, waits, or could not be undone go on now, with its attempts forgiven. Returns its state. */
  resume(id: string): Promise<RunState>
  /** Undoes what a run has done, also one that is under way. Throws `saga-past-pivot`. */
  compensate(id: string, options?: CompensateOptions): Promise<RunState>
  /** Ends a run that was put right by hand, dead or waiting. Returns its state: that of one which is driven is as it was. */
  settle(id: string, note: string): Promise<RunState>
  /**
   * Runs that need a person, for `deadLetters` of `@oncekey/outbox`: redriving one resumes it,
   * discarding it settles it. Their `origin` is the saga, their `subject` the step.
   */
  readonly deadLetters: DeadLetterSource
  /**
   * Forgets runs that ended long enough ago, a minute at least, so that who waits finds the end.
   * Milliseconds. @default 30 days, 1000 runs
   */
  purge(options?: { readonly retentionMs?: number; readonly limit?: number }): Promise<number>
}

/**
 * Makes a runner. It opens and closes nothing: `migrate` has to have run, with `sagaMigrations`.
 *
 * @example
 * ```ts
 * const sagas = createSagaRunner({ client: pool, sagas: [order] })
 * sagas.start()
 * const placed = await sagas.execute(order, { id: 'order-17', input: { cents: 4_200 } })
 * ```
 */
export function createSagaRunner<Tx>(options: SagaRunnerOptions<Tx>): SagaRunner<Tx> {
  const resolved = resolveOptions(options)
  const statements = statementsFor(resolved.quotedSchema)
  const runner: RunnerState<Tx> = {
    ...resolved,
    statements,
    leases: leases(resolved, statements),
    places: places(resolved.executeConcurrency),
    driving: new Map(),
    draining: false,
    stopping: false,
  }
  let loop: Loop | undefined

  return {
    node: runner.node,
    // The type of the result is what the saga says of itself.
    execute: async (of, request) => (await execute(runner, ours(of), request)) as never,
    async submit(of, request) {
      const submitted = await submit(runner, ours(of), request)
      loop?.wake()
      return submitted
    },
    async runOnce() {
      const driven = await takeDue(runner, runner.concurrency)
      await Promise.all(driven)
      return driven.length
    },
    start() {
      if (runner.draining) throw new OptionsError('start: this runner was stopped. Make another.')
      loop ??= startLoop(runner)
    },
    async stop({ timeoutMs = 10_000 } = {}) {
      waitedFor('runner.stop: timeoutMs', timeoutMs, 0)
      runner.draining = true
      const reason = new OncekeyError('draining', 'This saga runner was stopped.')
      await within(timeoutMs, async () => {
        await loop?.stop()
        await Promise.all(runner.driving.values())
      })
      runner.stopping = true
      runner.leases.end(reason)
      await within(RETURN_MS, () => Promise.all(runner.driving.values()))
      runner.leases.leave(reason)
      await within(GIVE_BACK_MS, () => Promise.all(runner.driving.values()))
    },
    get: (id) => getRun(runner, id),
    list: (filter = {}) => listRuns(runner, filter),
    async resume(id) {
      const state = await resume(runner, id)
      loop?.wake()
      return state
    },
    async compensate(id, how = {}) {
      const state = await compensate(runner, id, how)
      if (state === 'compensating') runner.leases.cancel(id)
      loop?.wake()
      return state
    },
    settle: (id, note) => settle(runner, id, note),
    deadLetters: sagaDeadLetters(runner),
    purge: (how) => purgeRuns(runner, how),
  }

  function ours(of: object): Definition {
    const made = definition(of)
    if (runner.definitions.get(made.id)?.name === made.name) return made
    throw new OptionsError(
      `saga "${made.name}" version ${made.version} is not one of this runner's: list it in \`sagas\`.`,
    )
  }
}

/** Waits, but no longer than so; what is waited for never rejects. */
async function within(ms: number, what: () => Promise<unknown>): Promise<void> {
  const patience = new AbortController()
  await Promise.race([what(), sleep(ms, patience.signal)])
  patience.abort()
}

/** How long the functions of aborted steps have to return, and their runs to be given back. */
const RETURN_MS = 1_000
const GIVE_BACK_MS = 1_000
