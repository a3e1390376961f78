import { claimRunsStatement } from './claim-runs.ts'
import { compensateRunStatement } from './compensate-run.ts'
import { countDeadRunsStatement } from './count-dead-runs.ts'
import { deadRunGroupsStatement } from './dead-run-groups.ts'
import { deadRunStatsStatement } from './dead-run-stats.ts'
import { findDeadRunStatement } from './find-dead-run.ts'
import { findRunStatement } from './find-run.ts'
import { holdRunStatement } from './hold-run.ts'
import { listDeadRunsStatement } from './list-dead-runs.ts'
import { listRunsStatement } from './list-runs.ts'
import { mendDueTimesStatement } from './mend-due-times.ts'
import { purgeRunsStatement } from './purge-runs.ts'
import { readRunStatement } from './read-run.ts'
import { recordMoveStatement } from './record-move.ts'
import { redriveDeadRunsStatement } from './redrive-dead-runs.ts'
import { renewLeasesStatement, watchRunsStatement } from './renew-leases.ts'
import { resumeRunStatement } from './resume-run.ts'
import { settleRunStatement } from './settle-run.ts'
import { startRunStatement } from './start-run.ts'
import { takeRunStatement } from './take-run.ts'

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
