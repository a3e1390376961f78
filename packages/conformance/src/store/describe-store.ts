import { describeGroups } from '../behaviour/describe-groups.ts'
import type { StoreFixture } from './fixture/store-fixture.ts'
import { runStoreBehaviour, storeBehaviours } from './store-behaviours.ts'

/** A store that joins the suite. */
export interface StoreSuite<Tx> {
  /** As the report shall call it: `redis 7, cluster`. */
  readonly name: string
  /** A fixture for one test. It may share its database with others; see {@link StoreFixture}. */
  create(): StoreFixture<Tx> | Promise<StoreFixture<Tx>>
  /** Random histories for the model test. @default 50 */
  readonly modelRuns?: number
  /** For each test. Milliseconds. @default 30_000 */
  readonly timeoutMs?: number
}

/**
 * Registers the whole store contract with Vitest: one test for each sentence of it. What the store
 * cannot do, or the fixture does not show, is skipped and says why.
 *
 * @example
 * ```ts
 * import { describeStore } from '@oncekey/conformance'
 * import { myStore } from './my-store.ts'
 *
 * describeStore({ name: 'my store', create: () => ({ store: myStore() }) })
 * ```
 */
export function describeStore<Tx>(suite: StoreSuite<Tx>): void {
  const { name, create, modelRuns = 50, timeoutMs = 30_000 } = suite
  describeGroups(`store contract: ${name}`, storeBehaviours(), timeoutMs, (behaviour) =>
    runStoreBehaviour(behaviour, create, { modelRuns }),
  )
}
