import { readEvents4 } from '../superseded/log/read-events-4.ts'

/** Reads the rows of a large transaction that was in progress in bounded steps. */
export function largeTransactions(schema: string): string[] {
  return [readEvents4(schema)]
}
