import { claimRuns } from '../functions/claim-runs.ts'
import { holdRun } from '../functions/hold-run.ts'
import { interventions } from '../functions/interventions.ts'
import { recordMove } from '../functions/record-move.ts'
import { runSnapshot } from '../functions/run-snapshot.ts'
import { takeRun } from '../functions/take-run.ts'

/**
 * Moves name the one before them, so that a failover that took a move back is noticed; a cancelled
 * run is left to its owner until the step under way has ended. The functions of the release before
 * stay: its processes still call them, and take a run from this release as they always did.
 */
export function sagaMoves(schema: string): string[] {
  return [
    // 'move': a random name of the last move on record. 'move_epoch': the epoch whose owner names
    // moves; an owner of the release before leaves it behind. 'due_in_ms': how far ahead 'due_at'
    // was when it was set; further ahead than that, the clock was put back.
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
  ]
}
