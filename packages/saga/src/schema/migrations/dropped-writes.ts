import { recordWholeMove } from '../functions/record-whole-move.ts'

/** A move that is reported as written was written, all of it. */
export function droppedWrites(schema: string): string[] {
  return [recordWholeMove(schema)]
}
