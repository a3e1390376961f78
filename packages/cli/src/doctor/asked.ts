import type { Call } from '../command/command.ts'

/** What every check of `oncekey doctor` on PostgreSQL gets: the connection, and the limits. */
export interface Asked {
  readonly call: Call
  readonly schema: string
  /** The same as a quoted SQL identifier. */
  readonly quoted: string
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** A transaction that is older than this is reported; the two below limit consumers. */
  readonly longestTransactionMs: number
  readonly mostLag: number
  readonly longestLagMs: number
}
