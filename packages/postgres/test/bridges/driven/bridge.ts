import type { SqlClient } from '@oncekey/postgres'

/** A library behind its bridge, connected to one database, as the tests use it. */
export interface Bridge<Tx = unknown> {
  readonly client: SqlClient<Tx>
  /** Writes an order through the library's own transaction object. */
  insert(tx: Tx, id: string): Promise<unknown>
  /** How many orders with this id the transaction sees. */
  count(tx: Tx, id: string): Promise<number>
  /** Sends any SQL and resolves with the rows. */
  raw(tx: Tx, text: string): Promise<readonly unknown[]>
  /** Builds a write, which is sent when the returned function is called. */
  later(tx: Tx, id: string): () => PromiseLike<unknown>
  /** Runs `work` inside one of the library's own savepoints. */
  nested?(tx: Tx, work: (inner: Tx) => Promise<unknown>): Promise<unknown>
  /** Whether the library itself calls this a transaction. */
  isOwn(tx: Tx): boolean
  /** The calls by which the library would let a caller end the transaction. */
  ends(tx: Tx): readonly (() => unknown)[]
  /** Takes every connection of the pool until the returned function is called. */
  exhaust(): Promise<() => unknown>
  end(): Promise<unknown>
}

export interface BridgeUnderTest {
  readonly name: string
  open(options: BridgeOptions): Promise<Bridge>
  /** The features that this library lacks, and why. */
  readonly lacks?: { readonly nested?: string; readonly sqlSavepoints?: string }
}

export interface BridgeOptions {
  readonly url: string
  readonly max: number
}
