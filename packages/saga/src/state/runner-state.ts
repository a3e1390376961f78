import type { ConcurrencyLimit } from './concurrency-limit.ts'
import type { Leases } from './leases.ts'
import type { Questions } from './questions.ts'
import type { ResolvedOptions } from './runner-options.ts'
import type { Statements } from './statements.ts'
import type { Suspects } from './suspects.ts'
import type { Unanswered } from './unanswered.ts'

/**
 * The part of a runner's state that is needed for inspecting and managing runs, without driving
 * any.
 */
export interface RunsState<Tx>
  extends Pick<ResolvedOptions<Tx>, 'client' | 'schema' | 'quotedSchema' | 'acquireTimeoutMs'> {
  readonly statements: Statements
  /** The registered definitions by their `id`; `undefined` in a process without sagas. */
  readonly definitions: ResolvedOptions<Tx>['definitions'] | undefined
}

/** The state that the parts of a runner share. */
export interface RunnerState<Tx> extends ResolvedOptions<Tx> {
  readonly statements: Statements
  readonly leases: Leases
  /** Limits the runs that `execute` drives. The loop counts its own runs. */
  readonly executeLimit: ConcurrencyLimit
  /**
   * The runs that this process drives; each promise resolves when the process is done with the run.
   */
  readonly driving: Map<string, Promise<void>>
  readonly unanswered: Unanswered
  readonly suspects: Suspects
  readonly questions: Questions
  /** Set once: claims nothing more, and gives each run up after its current step. */
  draining: boolean
  /**
   * Set once, after `draining`: the runner aborts the steps that are under way and gives their runs
   * up.
   */
  stopping: boolean
}
