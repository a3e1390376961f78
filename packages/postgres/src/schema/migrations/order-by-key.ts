import { takeRuns } from '../superseded/log/take-runs.ts'

/**
 * Takes deliveries of an ordered consumer in the order of the log, several of one key at a time.
 */
export function orderByKey(schema: string): string[] {
  return [takeRuns(schema)]
}
