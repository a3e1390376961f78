import type { LogFixture } from '@oncekey/conformance'
import type { EventLog, MemoryTransaction } from '@oncekey/core'
import type { Inside } from './memory-fixture.ts'

type Log = EventLog<MemoryTransaction>

/** A log with one fault, and the behaviours that must detect it. */
export interface BrokenLog {
  readonly fault: string
  replaced(log: EventLog<any>, inside: Inside): Partial<Log>
  readonly open?: (log: EventLog<any>) => NonNullable<LogFixture['open']>
  /** Titles as `group: behaviour`; others may detect it, too. */
  readonly caughtBy: readonly string[]
}
