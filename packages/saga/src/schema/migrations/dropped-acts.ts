import { writtenFunction } from '@oncekey/postgres/client'
import { actOrRaise } from '../functions/act-or-raise.ts'
import { actOnRunOrRaise } from '../superseded/act-on-run-2.ts'
import { takeOrRaise } from '../superseded/take-run-3.ts'

/** A run that is reported as begun, taken, resumed, undone or settled is so. */
export function droppedActs(schema: string): string[] {
  return [
    writtenFunction(schema, 'saga_written'),
    takeOrRaise(schema),
    ...actOrRaise(schema),
    actOnRunOrRaise(schema),
  ]
}
