import { describeGroups } from '../behaviour/describe-groups.ts'
import type { LogFixture } from './fixture/log-fixture.ts'
import { logBehaviours, runLogBehaviour } from './log-behaviours.ts'

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
  describeGroups(`log contract: ${name}`, logBehaviours(), timeoutMs, (behaviour) =>
    runLogBehaviour(behaviour, create),
  )
}
