import type { Claim } from '@oncekey/core'
import { counted, created, door } from './adapter-context.ts'
import type { Call, SiteHandler } from './adapter-fixture.ts'
import type { Faults } from './faulty-store.ts'

/**
 * A handler that stops half-way until the test lets it go on. `before` is called before it stops,
 * `after` makes its reply; by default it does nothing and is {@link created}.
 */
export function pausingHandler({
  before = () => {},
  after = () => created(),
}: {
  readonly before?: (call: Call) => void
  readonly after?: SiteHandler
} = {}): {
  readonly handler: SiteHandler
  runs(): number
  /** Resolves when the first run has stopped half-way. */
  readonly started: Promise<void>
  /** Lets this run go on, and every later one pass without a stop. */
  finish(): void
} {
  const [started, finish] = [door(), door()]
  const handling = counted(async (call) => {
    before(call)
    started.open()
    await finish.opened
    return after(call)
  })
  return { ...handling, started: started.opened, finish: finish.open }
}

/** A store that does not carry out a completion until the test lets it; by default any. */
export function pausingCommit(isMeant: (claim: Claim | undefined) => boolean = () => true): {
  readonly faults: Faults
  /** Resolves when a completion has come. */
  readonly completing: Promise<void>
  /** Has it carried out, and every later one at once. */
  commit(): void
} {
  const [completing, commit] = [door(), door()]
  const faults: Faults = {
    async complete(complete, { claim }) {
      if (!isMeant(claim)) return complete()
      completing.open()
      await commit.opened
      return complete()
    },
  }
  return { faults, completing: completing.opened, commit: commit.open }
}
