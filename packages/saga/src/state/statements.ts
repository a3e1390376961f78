import { deadRunGroups, deadRunStats } from '../statements/dead-run-stats.ts'
import {
  countDeadRuns,
  findDeadRun,
  listDeadRuns,
  redriveDeadRuns,
} from '../statements/dead-runs.ts'
import { compensateRun, discardRun, resumeRun, settleRun } from '../statements/interventions.ts'
import { recordMove } from '../statements/moves.ts'
import { listRetryingRuns } from '../statements/retrying-runs.ts'
import { listRuns, listUnknownRuns, purgeRuns } from '../statements/run-lists.ts'
import { findRun, readRun, startRun } from '../statements/runs.ts'
import {
  claimRuns,
  findUnanswered,
  giveBackUnanswered,
  holdRun,
  isHeld,
  leaveRun,
  mendDueTimes,
  parkAgain,
  renewLeases,
  takeRun,
  watchRuns,
} from '../statements/work.ts'

/** All statements of a runner, rendered once for its schema. */
export interface Statements {
  readonly claimRuns: ReturnType<typeof claimRuns>
  readonly compensateRun: ReturnType<typeof compensateRun>
  readonly countDeadRuns: ReturnType<typeof countDeadRuns>
  readonly deadRunGroups: ReturnType<typeof deadRunGroups>
  readonly deadRunStats: ReturnType<typeof deadRunStats>
  readonly discardRun: ReturnType<typeof discardRun>
  readonly findDeadRun: ReturnType<typeof findDeadRun>
  readonly listDeadRuns: ReturnType<typeof listDeadRuns>
  readonly redriveDeadRuns: ReturnType<typeof redriveDeadRuns>
  readonly findRun: ReturnType<typeof findRun>
  readonly findUnanswered: ReturnType<typeof findUnanswered>
  readonly giveBackUnanswered: ReturnType<typeof giveBackUnanswered>
  readonly holdRun: ReturnType<typeof holdRun>
  readonly listRetryingRuns: ReturnType<typeof listRetryingRuns>
  readonly isHeld: ReturnType<typeof isHeld>
  readonly leaveRun: ReturnType<typeof leaveRun>
  readonly listRuns: ReturnType<typeof listRuns>
  readonly listUnknownRuns: ReturnType<typeof listUnknownRuns>
  readonly mendDueTimes: ReturnType<typeof mendDueTimes>
  readonly parkAgain: ReturnType<typeof parkAgain>
  readonly purgeRuns: ReturnType<typeof purgeRuns>
  readonly readRun: ReturnType<typeof readRun>
  readonly recordMove: ReturnType<typeof recordMove>
  readonly renewLeases: ReturnType<typeof renewLeases>
  readonly resumeRun: ReturnType<typeof resumeRun>
  readonly settleRun: ReturnType<typeof settleRun>
  readonly startRun: ReturnType<typeof startRun>
  readonly takeRun: ReturnType<typeof takeRun>
  readonly watchRuns: ReturnType<typeof watchRuns>
}

/** `schema` must be quoted. */
export function statementsFor(schema: string): Statements {
  return {
    claimRuns: claimRuns(schema),
    compensateRun: compensateRun(schema),
    countDeadRuns: countDeadRuns(schema),
    deadRunGroups: deadRunGroups(schema),
    deadRunStats: deadRunStats(schema),
    discardRun: discardRun(schema),
    findDeadRun: findDeadRun(schema),
    listDeadRuns: listDeadRuns(schema),
    redriveDeadRuns: redriveDeadRuns(schema),
    findRun: findRun(schema),
    findUnanswered: findUnanswered(schema),
    giveBackUnanswered: giveBackUnanswered(schema),
    holdRun: holdRun(schema),
    listRetryingRuns: listRetryingRuns(schema),
    isHeld: isHeld(),
    leaveRun: leaveRun(schema),
    listRuns: listRuns(schema),
    listUnknownRuns: listUnknownRuns(schema),
    mendDueTimes: mendDueTimes(schema),
    parkAgain: parkAgain(schema),
    purgeRuns: purgeRuns(schema),
    readRun: readRun(schema),
    recordMove: recordMove(schema),
    renewLeases: renewLeases(schema),
    resumeRun: resumeRun(schema),
    settleRun: settleRun(schema),
    startRun: startRun(schema),
    takeRun: takeRun(schema),
    watchRuns: watchRuns(schema),
  }
}
