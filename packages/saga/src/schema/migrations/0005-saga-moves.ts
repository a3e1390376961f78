import { holdRun } from '../functions/hold-run.ts'
import { interventions } from '../functions/interventions.ts'
import { runSnapshot } from '../functions/run-snapshot.ts'
import { claimRuns } from '../superseded/claim-runs-2.ts'
import { recordMove } from '../superseded/record-move.ts'
import { settleRun2 } from '../superseded/settle-run-2.ts'
import { takeRun } from '../superseded/take-run-2.ts'

/**
 * Each move contains the name of the move before it, so that a move which a failover lost is
 * noticed. A cancelled run stays with its owner until the step under way has ended. The functions
 * of the release before stay: its processes still call them, and can still take a run from this
 * release.
 */
export function sagaMoves(schema: string): string[] {
  return [
    // 'move': the random name of the last recorded move. 'move_epoch': the epoch whose owner names
    // its moves; an owner of an earlier release raises the epoch and leaves this column behind.
    // 'due_in_ms': how far ahead 'due_at' was when it was set. If 'due_at' is further ahead than
    // that, the clock was put back.
    `alter table ${schema}.saga_work
      add column move text,
      add column move_epoch bigint,
      add column due_in_ms bigint not null default 0`,
    runSnapshot(schema),
    claimRuns(schema),
    takeRun(schema),
    holdRun(schema),
    recordMove(schema),
    ...interventions(schema),
    settleRun2(schema),
  ]
}
