import { completeAttemptFunction } from '../functions/lease/complete-attempt.ts'
import { appendEventsFunction } from '../functions/store/append-events.ts'
import { completeFunction } from '../functions/store/complete.ts'
import { endAttemptFunction } from '../functions/store/end-attempt.ts'

/**
 * What ends a handler's transaction works in whatever role the handler has put it. For that
 * everybody may name what is in the schema. No function in it has other rights than its caller, so
 * every table, and every function that reads or writes one, stays with whom the tables were granted
 * to.
 */
export function handlerRoles(schema: string): string[] {
  return [
    `grant usage on schema ${schema} to public`,
    completeFunction(schema),
    endAttemptFunction(schema),
    completeAttemptFunction(schema),
    appendEventsFunction(schema),
  ]
}
