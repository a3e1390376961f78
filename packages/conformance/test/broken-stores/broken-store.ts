import type { StoreFixture } from '@oncekey/conformance'
import { plainFixture } from './plain-fixture.ts'
import type { Steps } from './plain-store.ts'
import type { PlainTransaction } from './plain-table.ts'

type Mode = 'transaction' | 'lease'

/** A store with one fault, and the behaviours that must detect it. */
export interface BrokenStore {
  readonly fault: string
  readonly modes: readonly Mode[]
  create(mode: Mode): StoreFixture<PlainTransaction>
  /** Titles as `group: behaviour`; others may detect it, too. */
  readonly caughtBy: readonly string[]
}

/** The plain store with some steps replaced. */
export function brokenStore(options: {
  readonly fault: string
  readonly modes?: readonly Mode[]
  readonly steps: (right: Steps) => Partial<Steps>
  readonly caughtBy: readonly string[]
}): BrokenStore {
  const { fault, modes = ['transaction', 'lease'], steps, caughtBy } = options
  const create = (mode: Mode): StoreFixture<PlainTransaction> =>
    plainFixture(mode, (right) => ({ ...right, ...steps(right) }))
  return { fault, modes, create, caughtBy }
}
