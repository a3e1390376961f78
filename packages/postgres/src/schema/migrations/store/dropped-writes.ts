import { completeAttempt5 } from '../../functions/lease/complete-attempt-5.ts'
import { releaseAttempt3 } from '../../functions/lease/release-attempt-3.ts'
import { fileFailed2 } from '../../functions/log/file-failed-2.ts'
import { auditFunction2 } from '../../functions/operator/audit.ts'
import { endUnknownKey3 } from '../../functions/operator/end-unknown-key-3.ts'
import { completeFunction4 } from '../../functions/store/complete-4.ts'
import { spendKeyFunction } from '../../functions/store/spend-key.ts'
import { writeEventsFunction } from '../../functions/store/write-events.ts'
import { abandonAttempt3 } from '../../superseded/lease/abandon-attempt-3.ts'
import { replaceAttempt2 } from '../../superseded/lease/replace-attempt-2.ts'
import { refuseFunction4 } from '../../superseded/store/refuse-4.ts'

/**
 * A write that a trigger or a rule drops raises an error, so whatever is reported as written was
 * written. For claims and renewals of lease mode this is in `clocks-put-back.ts`.
 */
export function droppedWrites(schema: string): string[] {
  return [
    completeFunction4(schema),
    refuseFunction4(schema),
    spendKeyFunction(schema),
    writeEventsFunction(schema),
    replaceAttempt2(schema),
    completeAttempt5(schema),
    abandonAttempt3(schema),
    releaseAttempt3(schema),
    fileFailed2(schema),
    endUnknownKey3(schema),
    auditFunction2(schema),
  ]
}
