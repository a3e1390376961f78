import { hash } from 'node:crypto'
import { OptionsError } from '@oncekey/core'
import { type Retry, type RetryPolicy, retryPolicy } from './retry-policy.ts'
import type { AttemptContext, CompensationContext, Step, StepKind } from './step.ts'

/** A saga after construction, with every default filled in. */
export interface Definition {
  readonly name: string
  readonly version: number
  readonly steps: readonly ResolvedStep[]
  /**
   * Identifies what a run depends on: the name, the version, and the steps' names and kinds in
   * order.
   */
  readonly id: string
  /**
   * The steps' names and kinds. They are stored with each run, so that other processes can read
   * them.
   */
  readonly plan: readonly { readonly name: string; readonly kind: StepKind }[]
  /**
   * The position of the first step that cannot be undone; the number of steps if all of them can
   * be.
   */
  readonly forwardFrom: number
  result(run: { readonly input: unknown; readonly state: unknown }): unknown
}

export interface ResolvedStep {
  readonly name: string
  readonly kind: StepKind
  readonly local: boolean
  readonly timeoutMs: number
  readonly retry: RetryPolicy
  readonly compensationRetry: RetryPolicy
  run(context: AttemptContext<unknown, unknown, unknown>): unknown
  readonly compensate:
    | ((context: CompensationContext<unknown, unknown, unknown, unknown>) => unknown)
    | undefined
  isPermanent(error: unknown): boolean
}

export function definitionOf(
  name: string,
  version: number,
  steps: readonly ResolvedStep[],
  result: Definition['result'],
): Definition {
  checkName('saga', name)
  if (!Number.isInteger(version) || version < 1 || version >= 2 ** 31) {
    throw new OptionsError(`version of saga "${name}": write a whole number, { version: 1 }.`)
  }
  const plan = steps.map((step) => ({ name: step.name, kind: step.kind }))
  const digest = hash('sha256', JSON.stringify(plan)).slice(0, 16)
  return {
    name,
    version,
    steps,
    id: `${name}@${version}:${digest}`,
    plan,
    forwardFrom: forwardFromOf(plan),
    result,
  }
}

/**
 * The position of the first step that cannot be undone; the number of steps if all of them can be.
 */
export function forwardFromOf(plan: readonly { readonly kind: string }[]): number {
  const position = plan.findIndex(({ kind }) => kind !== 'compensatable')
  return position === -1 ? plan.length : position
}

/** Validates a step and fills in its defaults. `before` has the steps that precede it. */
export function resolveStep<Input, State, Result, Tx>(
  saga: string,
  before: readonly ResolvedStep[],
  name: string,
  step: Step<Input, State, Result, Tx>,
): ResolvedStep {
  checkName(`step of saga "${saga}"`, name)
  const what = `step "${name}" of saga "${saga}"`
  if (before.some((other) => other.name === name)) {
    throw new OptionsError(`${what}: a step before it has the same name. Give it another.`)
  }
  if (typeof step?.run !== 'function') {
    throw new OptionsError(`${what}: write { run: async (context) => … }.`)
  }
  const kind = step.kind ?? 'compensatable'
  checkKind(what, kind, before.at(-1), step.compensate !== undefined)
  const timeoutMs = step.timeoutMs ?? 60_000
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs >= 2 ** 31) {
    throw new OptionsError(`${what}: timeoutMs is not a whole number above 0, such as 60000.`)
  }
  const policy = (label: string, retry: Retry = {}, maxAttempts: number) =>
    retryPolicy(`${what}: ${label}`, retry, maxAttempts)
  return {
    name,
    kind,
    local: step.local ?? false,
    timeoutMs,
    retry: policy('retry', step.retry, kind === 'compensatable' ? 10 : 20),
    compensationRetry: policy('compensationRetry', step.compensationRetry, 20),
    // `step()` has checked the types. A runner holds many sagas, whose types it cannot know.
    run: (context) => step.run(context as never),
    compensate: step.compensate && ((context) => step.compensate?.(context as never)),
    isPermanent: (error) => step.isPermanent?.(error) ?? false,
  }
}

function checkKind(
  what: string,
  kind: StepKind,
  before: ResolvedStep | undefined,
  hasCompensation: boolean,
): void {
  if (!KINDS.includes(kind)) {
    throw new OptionsError(`${what}: kind is 'compensatable', 'pivot' or 'retriable'.`)
  }
  if (kind !== 'compensatable' && hasCompensation) {
    throw new OptionsError(
      `${what}: a saga only goes forward from its pivot, so compensate would never be called. ` +
        'Leave it out, or leave kind out.',
    )
  }
  if (before !== undefined && before.kind !== 'compensatable' && kind !== 'retriable') {
    throw new OptionsError(
      `${what}: it follows the ${before.kind} step "${before.name}", after which a saga only goes ` +
        "forward. Write kind: 'retriable', or move this step before it.",
    )
  }
}

function checkName(what: string, name: string): void {
  if (typeof name === 'string' && NAME.test(name)) return
  throw new OptionsError(
    `${what}: ${JSON.stringify(name)} is not a name. Write 1 to 100 letters, digits, dots, hyphens ` +
      'or underscores, such as "create-order".',
  )
}

const NAME = /^[\w.-]{1,100}$/
const KINDS: readonly StepKind[] = ['compensatable', 'pivot', 'retriable']
