import { takeRuns } from '../functions/log/take-runs.ts'

/**
 * Deliveries of an ordered consumer that come in the order of the log, as many of a key as wait.
 */
export function orderByKey(schema: string): string[] {
  return [takeRuns(schema)]
}
