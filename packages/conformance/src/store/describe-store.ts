import { describeGroups } from '../behaviour/describe-groups.ts'
import type { StoreFixture } from './fixture/store-fixture.ts'
import { runStoreBehaviour, storeBehaviours } from './store-behaviours.ts'

/** A store to test. */
export interface StoreSuite<Tx> {
  /** The name in the report: `redis 7, cluster`. */
  readonly name: string
  /** Creates a fixture for one test. Fixtures may share a database; see {@link StoreFixture}. */
  create(): StoreFixture<Tx> | Promise<StoreFixture<Tx>>
  /** How many random histories the model test runs. @default 50 */
  readonly modelRuns?: number
  /** The timeout of each test. Milliseconds. @default 30_000 */
  readonly timeoutMs?: number
}

/**
 * Registers the whole store contract with Vitest, one test per sentence. Tests that need something
 * the store or the fixture lacks are skipped with the reason.
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
