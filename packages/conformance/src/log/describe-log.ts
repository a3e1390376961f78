import { describe, it } from 'vitest'
import { logBehaviours, runLogBehaviour } from './log-behaviours.ts'
import type { LogFixture } from './log-fixture.ts'

/** A log that joins the suite. */
export interface LogSuite<Tx> {
  /** As the report shall call it: `redis 7, cluster`. */
  readonly name: string
  /** A fixture for one test. It may share its database with others; see {@link LogFixture}. */
  create(): LogFixture<Tx> | Promise<LogFixture<Tx>>
  /** For each test. Milliseconds. @default 30_000 */
  readonly timeoutMs?: number
}

/**
 * Registers the whole log contract with Vitest: one test for each sentence of it. What the log cannot
 * do, or the fixture does not show, is skipped and says why.
 *
 * @example
 * ```ts
 * describeLog({ name: 'my log', create: () => ({ log: myLog() }) })
 * ```
 */
export function describeLog<Tx>(suite: LogSuite<Tx>): void {
  const { name, create, timeoutMs = 30_000 } = suite
  describe(`log contract: ${name}`, () => {
    for (const group of logBehaviours()) {
      describe(group.title, () => {
        for (const behaviour of group.behaviours) {
          it(behaviour.title, { timeout: timeoutMs }, async ({ skip }) => {
            const skipped = await runLogBehaviour(behaviour, create)
            if (skipped !== undefined) skip(skipped)
          })
        }
      })
    }
  })
}
