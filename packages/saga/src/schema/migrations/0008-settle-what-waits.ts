import { settleRun } from '../functions/settle-run.ts'

/** A run that only waits for its next attempt is nobody's, and may be settled. */
export function settleWhatWaits(schema: string): string[] {
  return [settleRun(schema)]
}
