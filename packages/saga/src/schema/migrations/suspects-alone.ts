import { claimRunsOrSuspect } from '../functions/claim-runs-3.ts'
import { discardRun } from '../functions/discard-run.ts'
import { takeRunOrSuspect } from '../functions/take-run-4.ts'

/**
 * A run that may be what ends its processes is tried alone, and no run is discarded that somebody
 * has resumed meanwhile.
 */
export function suspectsAlone(schema: string): string[] {
  return [claimRunsOrSuspect(schema), takeRunOrSuspect(schema), discardRun(schema)]
}
