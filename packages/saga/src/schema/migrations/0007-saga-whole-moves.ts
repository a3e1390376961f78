import { recordOrNothing } from '../functions/record-or-nothing.ts'

/** If a local pivot is cancelled before its commit, none of its writes stay. */
export function sagaWholeMoves(schema: string): string[] {
  return [recordOrNothing(schema)]
}
