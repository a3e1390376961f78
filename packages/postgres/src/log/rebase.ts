import { OncekeyError } from '@oncekey/core'
import { sqlState } from '../sql/sql-state.ts'
import type { LogState } from './log-state.ts'
import { rebaseCursors } from './statements/reading.ts'

/** Repairs all cursors of a restored database. Warns that some events may be delivered again. */
export async function rebased<Tx>({ ask, schema, schemaName }: LogState<Tx>): Promise<void> {
  const [row] = await ask(rebaseCursors(schema))
  if (Number(row?.rebased) === 0) return
  process.emitWarning(
    `The database of the schema "${schemaName}" was restored from a copy, or the sequence of its ` +
      `events was set back. ${row?.rebased} cursors were repaired; events that had been delivered ` +
      'shortly before may be delivered again.',
    { code: 'ONCEKEY', type: 'OncekeyWarning' },
  )
}

export function isFromAnotherLife(error: unknown): boolean {
  return sqlState(error) === 'OK003'
}

export function restored(cause: unknown): OncekeyError {
  return new OncekeyError(
    'log-restored',
    'The database crashed, failed over, was restarted or restored since this reader took its slots: ' +
      'what it remembered is forgotten, and it goes on from what is on record.',
    { cause },
  )
}
