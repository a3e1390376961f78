import { appendEventsFunction } from '../functions/store/append-events.ts'
import { completeAttemptFunction } from '../superseded/lease/complete-attempt-2.ts'
import { completeFunction } from '../superseded/store/complete-2.ts'
import { endAttemptFunction } from '../superseded/store/end-attempt-2.ts'

/**
 * The functions that end a handler's transaction work in whatever role the handler has set. For
 * that, every role gets USAGE on the schema. No function has more rights than its caller, so the
 * tables, and functions that read or write them, remain usable only for roles with a grant on the
 * tables.
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
