import type { SqlClient } from '@oncekey/postgres'

/** A library behind its bridge, connected to one database, as the tests use it. */
export interface Bridge<Tx = unknown> {
  readonly client: SqlClient<Tx>
  /** Writes an order through the library's own transaction object. */
  insert(tx: Tx, id: string): Promise<unknown>
  /** How many orders of this id the transaction sees. */
  count(tx: Tx, id: string): Promise<number>
  /** Sends any SQL; resolves to the rows. */
  raw(tx: Tx, text: string): Promise<readonly unknown[]>
  /** A write that is built now, and sent when the function is called. */
  later(tx: Tx, id: string): () => PromiseLike<unknown>
  /** Runs `work` inside of a savepoint of the library's own. */
  nested?(tx: Tx, work: (inner: Tx) => Promise<unknown>): Promise<unknown>
  /** Whether this is what the library itself calls a transaction. */
  isOwn(tx: Tx): boolean
  /** Every way to end it that the library shows. */
  ends(tx: Tx): readonly (() => unknown)[]
  /** Takes every connection of the pool, until the function it returns is called. */
  exhaust(): Promise<() => unknown>
  end(): Promise<unknown>
}

export interface BridgeUnderTest {
  readonly name: string
  open(options: BridgeOptions): Promise<Bridge>
  /** What this library does not have, and why. */
  readonly lacks?: { readonly nested?: string; readonly sqlSavepoints?: string }
}

export interface BridgeOptions {
  readonly url: string
  readonly max: number
}
