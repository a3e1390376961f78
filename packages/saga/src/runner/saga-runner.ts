import {
  type ActedBy,
  type DeadLetterSource,
  endsWithin,
  OncekeyError,
  OptionsError,
  waitedFor,
} from '@oncekey/core'
import { type CarriedRedrives, carryOnce, carryRedrives } from '@oncekey/outbox'
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
import { concurrencyLimit } from '../state/concurrency-limit.ts'
import { leases } from '../state/leases.ts'
import { questions } from '../state/questions.ts'
import { resolveOptions, type SagaRunnerOptions } from '../state/runner-options.ts'
import type { RunnerState } from '../state/runner-state.ts'
import { statementsFor } from '../state/statements.ts'
import { suspects } from '../state/suspects.ts'
import { unanswered } from '../state/unanswered.ts'
import { reportError } from '../telemetry/channels.ts'
import { type ExecuteOptions, execute, submit } from './execute.ts'
import { type Loop, startLoop } from './loop.ts'
import { takeDue } from './poll.ts'

/** Runs sagas, together with all other runners on the same schema. */
export interface SagaRunner<Tx> {
  /** The name of this process, which is stored as the owner of the runs it drives. */
  readonly node: string

  /**
   * Starts a run or finds the one with that id, drives it here if no other process does, and
   * resolves with its result. Each step takes effect once, however often `execute` is called.
   *
   * Rejects with {@link SagaError}: `saga-compensated` (`cause` is the error of the failed step),
   * `saga-compensation-failed`, `saga-stuck`, `saga-settled`, `saga-in-progress` after `waitMs`,
   * `saga-input-mismatch`, `saga-unknown`. After any other rejection, such as that of an
   * unreachable database, the outcome is open: the run continues, and another call finds it.
   */
  execute<Input, Result>(
    // biome-ignore lint/suspicious/noExplicitAny: the state is the saga's own business
    saga: Saga<Input, any, Tx, Result>,
    request: RunRequest<Input> & ExecuteOptions,
  ): Promise<Result>

  /**
   * Records a run without waiting for it; the loop of any process drives it. Use this in event
   * consumers and for slow flows.
   */
  submit<Input>(
    // biome-ignore lint/suspicious/noExplicitAny: neither state nor result are asked for
    saga: Saga<Input, any, Tx, any>,
    request: RunRequest<Input>,
  ): Promise<{ readonly id: string; readonly isNew: boolean }>

  /**
   * Claims up to `concurrency` due runs and drives each of them. Returns how many it claimed. A
   * call that `stop` meets before it has claimed claims none.
   */
  runOnce(): Promise<number>
  /**
   * Repeats `runOnce` until `stop`. Without it, a run whose process died continues only when it is
   * executed again.
   */
  start(): void
  /**
   * Claims nothing more, and lets steps that are under way finish within `timeoutMs`; other
   * processes continue their runs at once. Then it aborts the remaining steps and gives their runs
   * up without counting the attempts. Such a run is free at once if the step's function returns
   * within a second, otherwise when its lease ends. Resolves at most two seconds after `timeoutMs`,
   * even if the database does not reply. `Infinity` waits for all steps. A value that is not a
   * duration throws `OptionsError` and stops nothing.
   */
  stop(options?: { readonly timeoutMs?: number }): Promise<void>

  /** A run with its steps and its timeline. */
  get(id: string): Promise<WholeRun | undefined>
  /**
   * Lists runs. Besides those in the states `stuck` and `compensation-failed`, a run counts as
   * stuck if it is due and its definition is not registered with this runner.
   */
  list(filter?: ListFilter): Promise<ListedRun[]>
  /**
   * Lets a run continue at once that is stuck, waits for its next attempt, or failed in its
   * compensation, with its attempts counted from zero again. Returns the run's new state, or
   * `under-way` if a process drives the run at present: then nothing was changed, and the attempt
   * that has begun counts on.
   */
  resume(id: string, by?: ActedBy): Promise<RunState | 'under-way'>
  /** Undoes what a run has done, even if a process drives the run. Throws `saga-past-pivot`. */
  compensate(id: string, options?: CompensateOptions): Promise<RunState>
  /**
   * Ends a run that was repaired by hand, if it is dead or waiting. Returns its state, which is
   * unchanged if a process drives the run.
   */
  settle(id: string, note: string, by?: ActedBy): Promise<RunState>
  /**
   * Runs that need a person, for `deadLetters` of `@oncekey/outbox`. Redriving one resumes it,
   * discarding one settles it. `origin` is the saga, `subject` is the step.
   */
  readonly deadLetters: DeadLetterSource
  /**
   * Deletes at most `limit` runs that ended at least `retentionMs` ago, and returns how many; if
   * that is `limit`, there may be more. Runs that ended within the last minute are kept, so that
   * callers waiting for a run still find its end. Milliseconds. @default 30 days, 1000 runs
   */
  purge(options?: { readonly retentionMs?: number; readonly limit?: number }): Promise<number>
}

/**
 * Makes a runner. It opens and closes no connections. Run `migrate` with `sagaMigrations` first.
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
  const driving: RunnerState<Tx>['driving'] = new Map()
  const executeLimit = concurrencyLimit(resolved.executeConcurrency)
  const runner: RunnerState<Tx> = {
    ...resolved,
    statements,
    leases: leases(resolved, statements),
    executeLimit,
    driving,
    unanswered: unanswered(resolved, statements, driving),
    suspects: suspects(resolved, driving, executeLimit),
    questions: questions(),
    draining: false,
    stopping: false,
  }
  let loop: Loop | undefined
  let carried: CarriedRedrives | undefined
  const deadLetters = sagaDeadLetters(runner, () => loop?.wake())

  return {
    node: runner.node,
    // `execute` returns the result's type by the type of the saga.
    execute: async (of, request) => (await execute(runner, ours(of), request)) as never,
    async submit(of, request) {
      const submitted = await submit(runner, ours(of), request)
      loop?.wake()
      return submitted
    },
    async runOnce() {
      refuseStopped('runOnce')
      // If that fails, what is due is driven all the same.
      await runner.questions.asked(carryOnce(deadLetters.redrives, redriveFailed))
      const driven = await takeDue(runner, runner.concurrency)
      await Promise.all(driven)
      return driven.length
    },
    start() {
      refuseStopped('start')
      loop ??= startLoop(runner)
      carried ??= carryRedrives(deadLetters.redrives, {
        carried: () => loop?.wake(),
        failed: redriveFailed,
      })
    },
    async stop({ timeoutMs = 10_000 } = {}) {
      waitedFor('runner.stop: timeoutMs', timeoutMs, 0)
      runner.draining = true
      const reason = new OncekeyError('draining', 'This saga runner was stopped.')
      const until = performance.now() + timeoutMs + RETURN_MS + GIVE_BACK_MS
      const stopped = Promise.all([loop?.stop(), carried?.stop()])
      const ended = async () => {
        await stopped
        // What they take is driven, too: it is handed over at once.
        await runner.questions.answered()
        await Promise.all(runner.driving.values())
        // Callers read what became of their runs.
        await runner.questions.answered()
      }
      await endsWithin(ended(), timeoutMs)
      runner.stopping = true
      runner.leases.end(reason)
      await endsWithin(ended(), RETURN_MS)
      runner.leases.giveUp(reason)
      await endsWithin(ended(), GIVE_BACK_MS)
      await giveBackUnanswered(Math.min(until - performance.now(), GIVE_BACK_MS))
    },
    get: (id) => getRun(runner, id),
    list: (filter = {}) => listRuns(runner, filter),
    async resume(id, by) {
      const state = await resume(runner, id, by)
      loop?.wake()
      return state
    },
    async compensate(id, how = {}) {
      const state = await compensate(runner, id, how)
      if (state === 'compensating') runner.leases.cancel(id)
      loop?.wake()
      return state
    },
    settle: (id, note, by) => settle(runner, id, note, by),
    deadLetters,
    purge: (how) => purgeRuns(runner, how),
  }

  /** There is no next question that would do it. */
  async function giveBackUnanswered(withinMs: number): Promise<void> {
    try {
      await endsWithin(runner.unanswered.giveBack(), withinMs)
    } catch (error) {
      reportError({ error, during: 'poll' })
    }
  }

  function refuseStopped(verb: string): void {
    if (!runner.draining) return
    throw new OptionsError(`${verb}: this runner was stopped. Create another one.`)
  }

  function ours(of: object): Definition {
    const made = definition(of)
    if (runner.definitions.get(made.id)?.name === made.name) return made
    throw new OptionsError(
      `saga "${made.name}" version ${made.version} is not one of this runner's: list it in \`sagas\`.`,
    )
  }
}

function redriveFailed(error: unknown): void {
  reportError({ error, during: 'redrive' })
}

/**
 * How long aborted steps may take to return, and how long giving up their runs may take.
 * Milliseconds.
 */
const RETURN_MS = 1_000
const GIVE_BACK_MS = 1_000
