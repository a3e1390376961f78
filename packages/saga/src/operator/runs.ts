import { type DeadReason, OptionsError } from '@oncekey/core'
import { whyUnknown, whyUntaken } from '../definition/known-definition.ts'
import type { StepState } from '../run/run.ts'
import { isRunId } from '../run/run-request.ts'
import { type TimelineEntry, timelineOf } from '../run/timeline.ts'
import type { RunsState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { FailureJson, RunStateJson } from '../statements/run-json.ts'
import type { ListedRunJson } from '../statements/run-lists.ts'
import type { FoundRunJson, WholeRunJson } from '../statements/runs.ts'

export type RunState = RunStateJson

/** A run with the properties that lists show. */
export interface ListedRun {
  readonly id: string
  readonly saga: string
  readonly version: number
  /**
   * `stuck`: it can neither go forward nor be undone. `compensation-failed`: a compensation failed
   * for good. `settled`: an operator ended it by hand.
   */
  readonly state: RunState
  /** Why the run does not continue by itself; undefined if it does. */
  readonly stuck: Stuck | undefined
  /** The step that failed for good. */
  readonly failedStep: string | undefined
  readonly error: FailureJson | undefined
  readonly startedAt: Date
  readonly endedAt: Date | undefined
}

export interface Stuck {
  readonly reason: DeadReason | 'definition-unknown'
  /** The step that failed, or why no process continues the run. */
  readonly detail: string
}

/** A run with everything that is recorded about it. */
export interface WholeRun extends ListedRun {
  readonly input: unknown
  /** The process that drives the run at present, if any. */
  readonly owner: string | undefined
  /** When the owner's lease ends; without an owner, when the run is due. */
  readonly dueAt: Date | undefined
  readonly note: string | undefined
  /** Every step of the run's definition, in order, including steps that the run has not begun. */
  readonly plan: readonly { readonly name: string; readonly kind: string }[]
  /** The steps that were begun. */
  readonly steps: readonly {
    readonly name: string
    readonly state: StepState
    /**
     * How many attempts failed; for a step that succeeded, the number of the successful attempt.
     */
    readonly attempts: number
    readonly compensationAttempts: number
    readonly result: unknown
    readonly begunAt: Date
    readonly doneAt: Date | undefined
    readonly compensatedAt: Date | undefined
  }[]
  /** Of the failed attempts it has the newest thousand. */
  readonly timeline: readonly TimelineEntry[]
}

export interface ListFilter {
  readonly saga?: string
  readonly state?: RunState
  /**
   * If true, only runs that do not go on by themselves: those in the states `stuck` and
   * `compensation-failed`, and those that nobody takes. For a runner these are due runs whose
   * definition is not registered with it, for `sagaOperator` all that have been due for a minute.
   */
  readonly stuck?: boolean
  /** The `id` of the last run on the previous page. */
  readonly after?: string
  /** @default 100 */
  readonly limit?: number
}

export async function getRun<Tx>(runner: RunsState<Tx>, id: string): Promise<WholeRun | undefined> {
  if (!isRunId(id)) return undefined
  const { client, statements, acquireTimeoutMs: timeoutMs, schema, definitions } = runner
  const [row] = await client.query(statements.readRun(id), { timeoutMs }).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  if (row === undefined) return undefined
  const run: WholeRunJson = JSON.parse(row.run)
  const graceMs = definitions === undefined ? UNTAKEN_MS : 0
  const isDue = run.overdue_ms !== null && run.overdue_ms >= graceMs
  const unknown = isDue && definitions?.has(run.definition) !== true
  return {
    ...listed(runner, { ...run, unknown }),
    input: run.input,
    owner: run.owner ?? undefined,
    dueAt: dateOf(run.due_at),
    note: run.note ?? undefined,
    plan: run.plan.map(({ name, kind }) => ({ name, kind })),
    steps: run.steps.map((step) => ({
      name: step.name,
      state: step.state,
      attempts: step.attempts,
      compensationAttempts: step.compensation_attempts,
      result: step.result,
      begunAt: new Date(step.begun_at),
      doneAt: dateOf(step.done_at),
      compensatedAt: dateOf(step.compensated_at),
    })),
    timeline: timelineOf(run),
  }
}

export async function listRuns<Tx>(
  runner: RunsState<Tx>,
  { saga, state, stuck, after, limit = 100 }: ListFilter,
): Promise<ListedRun[]> {
  const { client, statements, acquireTimeoutMs: timeoutMs, schema, definitions } = runner
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= 10_000)) {
    throw new OptionsError(`limit: ${limit} is not a whole number from 1 to 10000, such as 100.`)
  }
  const statement = statements.listRuns({
    known: [...(definitions?.keys() ?? [])],
    saga: saga ?? null,
    state: state ?? null,
    stuck: stuck ?? null,
    after: after ?? null,
    limit,
    graceMs: definitions === undefined ? UNTAKEN_MS : 0,
  })
  const rows = await client.query(statement, { timeoutMs }).catch((error) => {
    throw sagaStoreError(error, schema)
  })
  return rows.map(({ run }) => listed(runner, JSON.parse(run)))
}

function listed<Tx>({ definitions }: RunsState<Tx>, run: ListedRunJson): ListedRun {
  return {
    id: run.id,
    saga: run.saga,
    version: run.version,
    state: run.state,
    stuck:
      run.stuck !== null && isParked(run)
        ? { reason: run.stuck.reason, detail: `step "${run.stuck.step}" failed for good` }
        : run.unknown
          ? {
              reason: 'definition-unknown',
              detail: definitions === undefined ? whyUntaken(run) : whyUnknown(run, definitions),
            }
          : undefined,
    failedStep: failedStepOf(run) ?? undefined,
    error: run.error ?? (isParked(run) ? run.stuck?.error : undefined),
    startedAt: new Date(run.started_at),
    endedAt: dateOf(run.ended_at),
  }
}

/** If a run has been overdue for this long, it is reported as not taken. Milliseconds. */
const UNTAKEN_MS = 60_000

/**
 * The step at which a run failed. For a stuck run, that is the step at which it is stuck at
 * present: it may have been stuck at another one before and been resumed.
 */
export function failedStepOf({
  state,
  failed_step,
  stuck,
}: Pick<FoundRunJson, 'state' | 'failed_step' | 'stuck'>): string | null {
  return state === 'stuck' ? (stuck?.step ?? failed_step) : (failed_step ?? stuck?.step ?? null)
}

function isParked({ state }: ListedRunJson): boolean {
  return state === 'stuck' || state === 'compensation-failed'
}

function dateOf(ms: number | null): Date | undefined {
  return ms === null ? undefined : new Date(ms)
}
