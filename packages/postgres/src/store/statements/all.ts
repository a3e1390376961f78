import { abandonAttemptStatement } from './abandon-attempt.ts'
import { appendEventsStatement } from './append-events.ts'
import { claimStatement } from './claim.ts'
import { claimLeaseStatement } from './claim-lease.ts'
import { completeStatement } from './complete.ts'
import { completeAttemptStatement } from './complete-attempt.ts'
import { endAttemptStatement } from './end-attempt.ts'
import { endedAttemptsStatement } from './ended-attempts.ts'
import { findRecordStatement } from './find-record.ts'
import { giveBackAttemptStatement } from './give-back-attempt.ts'
import { openAttemptStatement } from './open-attempt.ts'
import { refuseStatement } from './refuse.ts'
import { releaseAttemptStatement } from './release-attempt.ts'
import { renewLeasesStatement } from './renew-leases.ts'
import { replaceAttemptStatement } from './replace-attempt.ts'
import { spendKeyStatement } from './spend-key.ts'
import { startAttemptStatement } from './start-attempt.ts'
import { terminateBackend } from './terminate-backend.ts'
import { transactionState } from './transaction-state.ts'
import { waitForEndStatement } from './wait-for-end.ts'

/** Every statement of the store, written once for its schema. */
export interface Statements {
  readonly abandonAttempt: ReturnType<typeof abandonAttemptStatement>
  readonly appendEvents: ReturnType<typeof appendEventsStatement>
  readonly claim: ReturnType<typeof claimStatement>
  readonly claimLease: ReturnType<typeof claimLeaseStatement>
  readonly complete: ReturnType<typeof completeStatement>
  readonly completeAttempt: ReturnType<typeof completeAttemptStatement>
  readonly endAttempt: ReturnType<typeof endAttemptStatement>
  readonly endedAttempts: ReturnType<typeof endedAttemptsStatement>
  readonly findRecord: ReturnType<typeof findRecordStatement>
  readonly giveBackAttempt: ReturnType<typeof giveBackAttemptStatement>
  readonly openAttempt: ReturnType<typeof openAttemptStatement>
  readonly refuse: ReturnType<typeof refuseStatement>
  readonly releaseAttempt: ReturnType<typeof releaseAttemptStatement>
  readonly renewLeases: ReturnType<typeof renewLeasesStatement>
  readonly replaceAttempt: ReturnType<typeof replaceAttemptStatement>
  readonly spendKey: ReturnType<typeof spendKeyStatement>
  readonly startAttempt: ReturnType<typeof startAttemptStatement>
  readonly terminateBackend: typeof terminateBackend
  readonly transactionState: typeof transactionState
  readonly waitForEnd: ReturnType<typeof waitForEndStatement>
}

/** `schema` is quoted. */
export function statementsFor(schema: string): Statements {
  return {
    abandonAttempt: abandonAttemptStatement(schema),
    appendEvents: appendEventsStatement(schema),
    claim: claimStatement(schema),
    claimLease: claimLeaseStatement(schema),
    complete: completeStatement(schema),
    completeAttempt: completeAttemptStatement(schema),
    endAttempt: endAttemptStatement(schema),
    endedAttempts: endedAttemptsStatement(schema),
    findRecord: findRecordStatement(schema),
    giveBackAttempt: giveBackAttemptStatement(schema),
    openAttempt: openAttemptStatement(schema),
    refuse: refuseStatement(schema),
    releaseAttempt: releaseAttemptStatement(schema),
    renewLeases: renewLeasesStatement(schema),
    replaceAttempt: replaceAttemptStatement(schema),
    spendKey: spendKeyStatement(schema),
    startAttempt: startAttemptStatement(schema),
    terminateBackend,
    transactionState,
    waitForEnd: waitForEndStatement(schema),
  }
}
