import type { Call } from '../command/command.ts'

/** What every check of `oncekey doctor` on PostgreSQL gets: the connection, and the limits. */
export interface Asked {
  readonly call: Call
  readonly schema: string
  /** The schema as a quoted SQL identifier. */
  readonly quoted: string
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>
  /** The age above which a transaction is reported. The two limits below are for consumers. */
  readonly longestTransactionMs: number
  readonly mostLag: number
  readonly longestLagMs: number
}
