import { writtenFunction } from '@oncekey/postgres/client'
import { rotateOrRaise } from '../functions/rotate-webhook-secret-2.ts'
import { fanOutOrRaise } from '../superseded/fan-out-webhooks-1.ts'

/** What is reported as fanned out, or as done by an operator, was written. */
export function droppedWrites(schema: string): string[] {
  return [writtenFunction(schema, 'webhook_written'), fanOutOrRaise(schema), rotateOrRaise(schema)]
}
