import { appendEventsFunction } from '../schema/functions/append-events.ts'
import { completeFunction } from '../schema/functions/complete.ts'
import { completeAttemptFunction } from '../schema/functions/complete-attempt.ts'
import { endAttemptFunction } from '../schema/functions/end-attempt.ts'

/**
 * What ends a handler's transaction works in whatever role the handler has put it. For that everybody may
 * name what is in the schema. No function in it has other rights than its caller, so every table, and every
 * function that reads or writes one, stays with whom the tables were granted to.
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
