import { claimRunsStatement } from '../statements/claim-runs.ts'
import { compensateRunStatement } from '../statements/compensate-run.ts'
import { countDeadRunsStatement } from '../statements/dead-letters/count-dead-runs.ts'
import { deadRunGroupsStatement } from '../statements/dead-letters/dead-run-groups.ts'
import { deadRunStatsStatement } from '../statements/dead-letters/dead-run-stats.ts'
import { findDeadRunStatement } from '../statements/dead-letters/find-dead-run.ts'
import { listDeadRunsStatement } from '../statements/dead-letters/list-dead-runs.ts'
import { listRetryingRunsStatement } from '../statements/dead-letters/list-retrying-runs.ts'
import { redriveDeadRunsStatement } from '../statements/dead-letters/redrive-dead-runs.ts'
import { findRunStatement } from '../statements/find-run.ts'
import { holdRunStatement } from '../statements/hold-run.ts'
import { listRunsStatement } from '../statements/list-runs.ts'
import { mendDueTimesStatement } from '../statements/mend-due-times.ts'
import { purgeRunsStatement } from '../statements/purge-runs.ts'
import { readRunStatement } from '../statements/read-run.ts'
import { recordMoveStatement } from '../statements/record-move.ts'
import { renewLeasesStatement, watchRunsStatement } from '../statements/renew-leases.ts'
import { resumeRunStatement } from '../statements/resume-run.ts'
import { settleRunStatement } from '../statements/settle-run.ts'
import { startRunStatement } from '../statements/start-run.ts'
import { takeRunStatement } from '../statements/take-run.ts'

/** Every statement of a runner, written once for its schema. */
export interface Statements {
  readonly claimRuns: ReturnType<typeof claimRunsStatement>
  readonly compensateRun: ReturnType<typeof compensateRunStatement>
  readonly countDeadRuns: ReturnType<typeof countDeadRunsStatement>
  readonly deadRunGroups: ReturnType<typeof deadRunGroupsStatement>
  readonly deadRunStats: ReturnType<typeof deadRunStatsStatement>
  readonly findDeadRun: ReturnType<typeof findDeadRunStatement>
  readonly listDeadRuns: ReturnType<typeof listDeadRunsStatement>
  readonly redriveDeadRuns: ReturnType<typeof redriveDeadRunsStatement>
  readonly findRun: ReturnType<typeof findRunStatement>
  readonly holdRun: ReturnType<typeof holdRunStatement>
  readonly listRetryingRuns: ReturnType<typeof listRetryingRunsStatement>
  readonly listRuns: ReturnType<typeof listRunsStatement>
  readonly mendDueTimes: ReturnType<typeof mendDueTimesStatement>
  readonly purgeRuns: ReturnType<typeof purgeRunsStatement>
  readonly readRun: ReturnType<typeof readRunStatement>
  readonly recordMove: ReturnType<typeof recordMoveStatement>
  readonly renewLeases: ReturnType<typeof renewLeasesStatement>
  readonly resumeRun: ReturnType<typeof resumeRunStatement>
  readonly settleRun: ReturnType<typeof settleRunStatement>
  readonly startRun: ReturnType<typeof startRunStatement>
  readonly takeRun: ReturnType<typeof takeRunStatement>
  readonly watchRuns: ReturnType<typeof watchRunsStatement>
}

/** `schema` is quoted. */
export function statementsFor(schema: string): Statements {
  return {
    claimRuns: claimRunsStatement(schema),
    compensateRun: compensateRunStatement(schema),
    countDeadRuns: countDeadRunsStatement(schema),
    deadRunGroups: deadRunGroupsStatement(schema),
    deadRunStats: deadRunStatsStatement(schema),
    findDeadRun: findDeadRunStatement(schema),
    listDeadRuns: listDeadRunsStatement(schema),
    redriveDeadRuns: redriveDeadRunsStatement(schema),
    findRun: findRunStatement(schema),
    holdRun: holdRunStatement(schema),
    listRetryingRuns: listRetryingRunsStatement(schema),
    listRuns: listRunsStatement(schema),
    mendDueTimes: mendDueTimesStatement(schema),
    purgeRuns: purgeRunsStatement(schema),
    readRun: readRunStatement(schema),
    recordMove: recordMoveStatement(schema),
    renewLeases: renewLeasesStatement(schema),
    resumeRun: resumeRunStatement(schema),
    settleRun: settleRunStatement(schema),
    startRun: startRunStatement(schema),
    takeRun: takeRunStatement(schema),
    watchRuns: watchRunsStatement(schema),
  }
}
