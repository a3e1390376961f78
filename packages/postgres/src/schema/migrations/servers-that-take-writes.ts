import { takesWritesFunction } from '../functions/expressions/takes-writes.ts'
import { startAttemptFunction } from '../functions/store/start-attempt.ts'
import { claimFunction } from '../superseded/store/claim-2.ts'

/**
 * A claim refuses a server that takes no writes. `start_attempt` is replaced under its name: its
 * result is the same, and `open_attempt` and `replace_attempt` call it.
 */
export function serversThatTakeWrites(schema: string): string[] {
  return [takesWritesFunction(schema), startAttemptFunction(schema), claimFunction(schema)]
}
