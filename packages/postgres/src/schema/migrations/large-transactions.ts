import { readEvents4 } from '../functions/log/read-events-4.ts'

/** Reading what a transaction wrote that was in progress, in steps however much that is. */
export function largeTransactions(schema: string): string[] {
  return [readEvents4(schema)]
}
