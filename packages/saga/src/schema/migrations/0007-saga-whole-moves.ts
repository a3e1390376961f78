import { recordOrNothing } from '../functions/record-or-nothing.ts'

/** A local pivot that was cancelled before its commit leaves nothing. */
export function sagaWholeMoves(schema: string): string[] {
  return [recordOrNothing(schema)]
}
