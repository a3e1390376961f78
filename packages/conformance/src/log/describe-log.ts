import { describeGroups } from '../behaviour/describe-groups.ts'
import type { LogFixture } from './fixture/log-fixture.ts'
import { logBehaviours, runLogBehaviour } from './log-behaviours.ts'

/** A log to test. */
export interface LogSuite<Tx> {
  /** The name in the report: `redis 7, cluster`. */
  readonly name: string
  /** Creates a fixture for one test. Fixtures may share a database; see {@link LogFixture}. */
  create(): LogFixture<Tx> | Promise<LogFixture<Tx>>
  /** The timeout of each test. Milliseconds. @default 30_000 */
  readonly timeoutMs?: number
}

/**
 * Registers the whole log contract with Vitest, one test per sentence. Tests that need something
 * the log or the fixture lacks are skipped with the reason.
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
