import { emitOnceFunction, takeInFunction } from '../../functions/inbox/take-in.ts'
import { deliveriesWritten } from '../../functions/operator/deliveries-written.ts'

/** An event whose mark a trigger dropped is no duplicate. */
export function droppedInboxRows(schema: string): string[] {
  return [takeInFunction(schema), emitOnceFunction(schema), deliveriesWritten(schema)]
}
