import { appendEventsStatement } from './append-events.ts'
import { claimStatement } from './claim.ts'
import { completeStatement } from './complete.ts'
import { endAttemptStatement } from './end-attempt.ts'
import { findRecordStatement } from './find-record.ts'
import { refuseStatement } from './refuse.ts'
import { startAttemptStatement } from './start-attempt.ts'
import { terminateBackend } from './terminate-backend.ts'
import { waitForEndStatement } from './wait-for-end.ts'

/** Every statement of the store, written once for its schema. */
export interface Statements {
  readonly appendEvents: ReturnType<typeof appendEventsStatement>
  readonly claim: ReturnType<typeof claimStatement>
  readonly complete: ReturnType<typeof completeStatement>
  readonly endAttempt: ReturnType<typeof endAttemptStatement>
  readonly findRecord: ReturnType<typeof findRecordStatement>
  readonly refuse: ReturnType<typeof refuseStatement>
  readonly startAttempt: ReturnType<typeof startAttemptStatement>
  readonly terminateBackend: typeof terminateBackend
  readonly waitForEnd: ReturnType<typeof waitForEndStatement>
}

/** `schema` is quoted. */
export function statementsFor(schema: string): Statements {
  return {
    appendEvents: appendEventsStatement(schema),
    claim: claimStatement(schema),
    complete: completeStatement(schema),
    endAttempt: endAttemptStatement(schema),
    findRecord: findRecordStatement(schema),
    refuse: refuseStatement(schema),
    startAttempt: startAttemptStatement(schema),
    terminateBackend,
    waitForEnd: waitForEndStatement(schema),
  }
}
