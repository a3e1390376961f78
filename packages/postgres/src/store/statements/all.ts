import { appendEventsStatement } from '../../commit/append-events.ts'
import * as mark from '../../commit/attempt-mark.ts'
import { sameTransaction } from '../../commit/same-transaction.ts'
import { restartLease } from '../../operator/statements/keys.ts'
import { terminateBackend } from './backends.ts'
import * as leases from './leases.ts'
import * as records from './records.ts'

/** All statements of the store, rendered once for its schema. */
export interface Statements {
  readonly appendEvents: ReturnType<typeof appendEventsStatement>
  readonly abandonAttempt: ReturnType<typeof leases.abandonAttempt>
  readonly claim: ReturnType<typeof records.claim>
  readonly claimLease: ReturnType<typeof leases.claimLease>
  readonly complete: ReturnType<typeof records.complete>
  readonly completeAttempt: ReturnType<typeof leases.completeAttempt>
  readonly endAttempt: ReturnType<typeof mark.endAttempt>
  readonly endedAttempts: ReturnType<typeof leases.endedAttempts>
  readonly findRecord: ReturnType<typeof records.findRecord>
  readonly giveBackAttempts: ReturnType<typeof leases.giveBackAttempts>
  readonly openAttempt: ReturnType<typeof leases.openAttempt>
  readonly refuse: ReturnType<typeof records.refuse>
  readonly releaseAttempt: ReturnType<typeof leases.releaseAttempt>
  readonly heldBy: ReturnType<typeof leases.heldBy>
  readonly renewLeases: ReturnType<typeof leases.renewLeases>
  readonly replaceAttempt: ReturnType<typeof records.replaceAttempt>
  readonly restartLease: ReturnType<typeof restartLease>
  readonly spendKey: ReturnType<typeof records.spendKey>
  readonly startAttempt: ReturnType<typeof mark.startAttempt>
  readonly waitForEnd: ReturnType<typeof records.waitForEnd>
  readonly sameTransaction: typeof sameTransaction
  readonly terminateBackend: typeof terminateBackend
}

/** `schema` must be quoted. */
export function statementsFor(schema: string): Statements {
  return {
    appendEvents: appendEventsStatement(schema),
    abandonAttempt: leases.abandonAttempt(schema),
    claim: records.claim(schema),
    claimLease: leases.claimLease(schema),
    complete: records.complete(schema),
    completeAttempt: leases.completeAttempt(schema),
    endAttempt: mark.endAttempt(schema),
    endedAttempts: leases.endedAttempts(schema),
    findRecord: records.findRecord(schema),
    giveBackAttempts: leases.giveBackAttempts(schema),
    openAttempt: leases.openAttempt(schema),
    refuse: records.refuse(schema),
    releaseAttempt: leases.releaseAttempt(schema),
    heldBy: leases.heldBy(schema),
    renewLeases: leases.renewLeases(schema),
    replaceAttempt: records.replaceAttempt(schema),
    restartLease: restartLease(schema),
    spendKey: records.spendKey(schema),
    startAttempt: mark.startAttempt(schema),
    waitForEnd: records.waitForEnd(schema),
    sameTransaction,
    terminateBackend,
  }
}
