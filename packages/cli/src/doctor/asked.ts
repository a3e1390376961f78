import type { Call } from '../command/command.ts'

/** What the checks ask, and with which measures. */
export interface Asked {
  readonly call: Call
  readonly schema: string
  /** As it goes into SQL. */
  readonly quoted: string
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>
  readonly longestTransactionMs: number
  readonly mostLag: number
  readonly longestLagMs: number
}
