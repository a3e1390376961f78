import { claimFunction } from '../schema/functions/claim.ts'
import { startAttemptFunction } from '../schema/functions/start-attempt.ts'
import { takesWritesFunction } from '../schema/functions/takes-writes.ts'

/**
 * A claim refuses a server that takes no writes. `start_attempt` keeps its name: what it answers is the
 * same, and `open_attempt` and `replace_attempt` call it.
 */
export function serversThatTakeWrites(schema: string): string[] {
  return [takesWritesFunction(schema), startAttemptFunction(schema), claimFunction(schema)]
}
