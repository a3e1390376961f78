import { type Definition, definitionOf, type ResolvedStep, resolveStep } from './definition.ts'
import type { Step, Stored } from './step.ts'

/**
 * Named steps in order, each with a function that undoes it. A saga is immutable: `step` and
 * `result` return a new one.
 */
export interface Saga<Input, State, Tx, Result = State> {
  readonly name: string
  readonly version: number

  /** Adds the next step. Its `context.state` holds the results of the steps before it, by name. */
  step<const Name extends string, StepResult>(
    name: Name,
    step: Step<Input, State, StepResult, Tx>,
  ): Saga<
    Input,
    Flat<State & { readonly [key in Name]: Stored<StepResult> }>,
    Tx,
    Flat<State & { readonly [key in Name]: Stored<StepResult> }>
  >

  /**
   * Makes the result of `execute` from the steps' results. It must be pure, because each caller
   * that waits for the run calls it. @default the results of all steps, by name
   */
  result<Final>(
    pick: (run: { readonly input: Input; readonly state: State }) => Final,
  ): Saga<Input, State, Tx, Final>

  /** Never set; it only carries the types. */
  readonly types?: { readonly input: Input; readonly tx: Tx; readonly result: Result }
}

/** Any saga that a runner accepts. */
// biome-ignore lint/suspicious/noExplicitAny: inputs and states of many sagas have nothing in common
export type AnySaga<Tx> = Saga<any, any, Tx, any>

type Flat<Type> = { readonly [key in keyof Type]: Type[key] }

export interface SagaOptions {
  /**
   * Raise the version when you add, remove, rename or reorder steps, or change a step's kind. Keep
   * the old version registered until its last run has ended.
   */
  readonly version: number
}

/**
 * Begins the definition of a saga. `Input` must be JSON. `Tx` is the client's transaction type,
 * such as `PoolClient` of `pg`.
 *
 * @example
 * ```ts
 * const order = saga<OrderInput, PoolClient>('order', { version: 1 })
 *   .step('create-order', {
 *     local: true,
 *     async run({ input, runId, transaction }) {
 *       const tx = await transaction()
 *       await tx.query('insert into orders (id, cents) values ($1, $2)', [runId, input.cents])
 *       return { orderId: runId }
 *     },
 *     async compensate({ runId, transaction }) {
 *       const tx = await transaction()
 *       await tx.query(`update orders set state = 'cancelled' where id = $1`, [runId])
 *     },
 *   })
 *   .step('charge', {
 *     run: ({ input, idempotencyKey, signal }) => gateway.charge(input, { idempotencyKey, signal }),
 *     compensate: ({ idempotencyKey, runId }) => gateway.refund(runId, { idempotencyKey }),
 *   })
 * ```
 */
export function saga<Input, Tx = unknown>(
  name: string,
  options: SagaOptions,
  // biome-ignore lint/complexity/noBannedTypes: a state without steps has no keys
): Saga<Input, {}, Tx> {
  return sagaWith(name, options, [], ({ state }) => state)
}

/** The definition behind a saga. Throws if `of` was not made by `saga()`. */
export function definition(of: object): Definition {
  const found = definitions.get(Object(of))
  if (found === undefined) throw new TypeError('Not a saga: make one with saga(name, { version }).')
  return found
}

const definitions = new WeakMap<object, Definition>()

function sagaWith<Input, State, Tx, Result>(
  name: string,
  options: SagaOptions,
  steps: readonly ResolvedStep[],
  pick: Definition['result'],
): Saga<Input, State, Tx, Result> {
  const made = definitionOf(name, options?.version, steps, pick)
  const self: Saga<Input, State, Tx, Result> = {
    name,
    version: made.version,
    step: (stepName, step) =>
      sagaWith(name, options, [...steps, resolveStep(name, steps, stepName, step)], pick),
    result: (chosen) => sagaWith(name, options, steps, chosen as Definition['result']),
  }
  definitions.set(self, made)
  return self
}
