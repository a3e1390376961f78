/**
 * The port every driver and ORM is bridged to: what the store, `migrate` and `purge` need of
 * PostgreSQL, and nothing else. A bridge owns the connection it borrowed from the first byte to the
 * last: however a call ends, the connection is back in its pool or destroyed, and nothing is open.
 */
export interface SqlClient<Tx = unknown> {
  /** `one`: a single session (PGlite), where everything else waits while a transaction is open. */
  readonly concurrency: 'many' | 'one'
  /** How many connections there can be at once. */
  readonly poolSize: number

  /**
   * Runs one statement in autocommit. Rejects with the driver's error, or with `store-busy` or
   * `store-unavailable` when there was no connection, or no answer, in time.
   */
  query<Row>(statement: Statement<Row>, options: QueryOptions): Promise<Row[]>

  /**
   * Opens a transaction and runs `first` in it, in the same round trip where the driver can.
   * Rejects as `query` does, and then nothing is open.
   */
  begin<Row>(options: BeginOptions<Row>): Promise<Begun<Tx, Row>>

  /**
   * Lends one connection until it is released, for statements in autocommit that must not queue
   * behind anybody's. A bridge may lack it: then they are asked for like any other.
   */
  reserve?(options: { readonly timeoutMs: number }): Promise<ReservedClient>
}

/** A connection that was set aside. After an error whose outcome is unknown it is gone. */
export interface ReservedClient {
  query<Row>(statement: Statement<Row>, options: { readonly timeoutMs: number }): Promise<Row[]>
  /** Gives it back, if it is still there. */
  release(): void
}

export interface QueryOptions {
  /** For all of it: the connection and the answer. Milliseconds. */
  readonly timeoutMs: number
  /**
   * Aborted while the statement is under way: `query` rejects, and the statement is stopped if it
   * may be.
   */
  readonly signal?: AbortSignal
}

export interface BeginOptions<Row> {
  readonly isolation: Isolation
  readonly first: Statement<Row>
  /** For all of it: the connection, BEGIN, and the answer to `first`. Milliseconds. */
  readonly timeoutMs: number
}

export interface Begun<Tx, Row> {
  readonly rows: Row[]
  readonly transaction: SqlTransaction<Tx>
}

/**
 * An open transaction. It ends exactly once, through `commit`, `rollback` or `destroy`; from the
 * moment one of them is called, its handle throws `transaction-over` and reaches no connection.
 */
export interface SqlTransaction<Tx = unknown> {
  /** What a handler gets: the driver's own transaction or client, guarded and revocable. */
  readonly handle: Tx

  query<Row>(statement: Statement<Row>): Promise<Row[]>

  /**
   * Whether something was sent through the handle that can have ended the transaction. Where it is
   * not known, `true`: then the server is asked.
   */
  mayHaveEnded(): boolean

  /** Closes the handle ahead of a `rollback`, which may be preceded by a question to the server. */
  revoke(): void

  /**
   * Runs `last` and COMMIT, in the same round trip where the driver can. Resolves only if the
   * server said that it committed. Otherwise rejects with the driver's error, or with
   * `transaction-aborted` when COMMIT was answered by a rollback; whether anything can have been
   * committed is for {@link isOutcomeKnown} to say.
   */
  commit<Row>(last: Statement<Row>, options: { readonly timeoutMs: number }): Promise<Row[]>

  /**
   * ROLLBACK, then `next` in autocommit on the same connection. Rejects when there was no answer in
   * time or the connection was lost: then the connection is destroyed, and the server may need
   * telling.
   */
  rollback<Row>(options: {
    readonly timeoutMs: number
    readonly next?: Statement<Row>
  }): Promise<Row[]>

  /** Drops the connection without a word to the server. */
  destroy(reason: Error): void
}

/** Every isolation level there is a point in asking for. */
export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

/**
 * One statement, as its file wrote it. Its columns are text or null whatever they hold, so that no
 * type parser of a driver, and none that a user installed, can change them.
 */
export interface Statement<Row = unknown> {
  /** The name of the statement in logs, and a part of its name when it is prepared. */
  readonly name: string
  readonly text: string
  readonly values: readonly SqlValue[]
  /**
   * The statement writes nothing, so the server may be told to stop it once nobody waits for its
   * answer. A statement that writes must not be stopped: cancelled while it waits for a synchronous
   * standby, its transaction is committed all the same.
   */
  readonly cancellable?: true
  /** Never set: carries the type of its rows. */
  readonly row?: Row
}

export type SqlValue = string | number | Uint8Array | null
