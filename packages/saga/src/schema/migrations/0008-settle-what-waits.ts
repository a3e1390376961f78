import { settleRun } from '../functions/settle-run.ts'

/** A run that waits for its next attempt has no owner, and can be settled. */
export function settleWhatWaits(schema: string): string[] {
  return [settleRun(schema)]
}
