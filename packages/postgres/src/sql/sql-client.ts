/**
 * The interface to which every driver and ORM is bridged: what the store, `migrate` and `purge`
 * need of PostgreSQL, and nothing else. However a call ends, the connection that the bridge
 * borrowed is back in its pool or destroyed, and no transaction is open in it.
 */
export interface SqlClient<Tx = unknown> {
  /** `one`: a single session (PGlite). While a transaction is open, every other statement waits. */
  readonly concurrency: 'many' | 'one'
  /** How many connections there can be at once. */
  readonly poolSize: number

  /**
   * Runs one statement in autocommit. Rejects with the driver's error, or with `store-busy` or
   * `store-unavailable` if no connection was free or no reply came in time.
   */
  query<Row>(statement: Statement<Row>, options: QueryOptions): Promise<Row[]>

  /**
   * Opens a transaction and runs `first` in it, in the same round trip if the driver can do that.
   * Rejects as `query` does; then no transaction is open.
   */
  begin<Row>(options: BeginOptions<Row>): Promise<Begun<Tx, Row>>

  /**
   * Lends one connection until it is released, for statements in autocommit that must not queue
   * behind others. If a bridge lacks it, such statements go through `query`.
   */
  reserve?(options: { readonly timeoutMs: number }): Promise<ReservedClient>
}

/** A connection that was set aside. After an error whose outcome is unknown, it is destroyed. */
export interface ReservedClient {
  query<Row>(statement: Statement<Row>, options: { readonly timeoutMs: number }): Promise<Row[]>
  /** Returns the connection if it was not destroyed. */
  release(): void
}

export interface QueryOptions {
  /** The limit for the whole call: getting the connection and getting the reply. Milliseconds. */
  readonly timeoutMs: number
  /**
   * If it is aborted while the statement is under way, `query` rejects, and the statement is
   * stopped if that is safe.
   */
  readonly signal?: AbortSignal
}

export interface BeginOptions<Row> {
  readonly isolation: Isolation
  readonly first: Statement<Row>
  /**
   * The limit for the whole call: the connection, BEGIN, and the reply to `first`. Milliseconds.
   */
  readonly timeoutMs: number
}

export interface Begun<Tx, Row> {
  readonly rows: Row[]
  readonly transaction: SqlTransaction<Tx>
}

/**
 * An open transaction. It ends exactly once, through `commit`, `rollback` or `destroy`. As soon as
 * one of them is called, the handle throws `transaction-over` and sends nothing.
 */
export interface SqlTransaction<Tx = unknown> {
  /** What a handler gets: the driver's own transaction or client, guarded and revocable. */
  readonly handle: Tx

  query<Row>(statement: Statement<Row>): Promise<Row[]>

  /**
   * Whether something was sent through the handle that can have ended the transaction. `true` also
   * if that is unknown; then the server is asked.
   */
  mayHaveEnded(): boolean

  /**
   * Closes the handle before a `rollback`, so that the server can be asked something in between.
   */
  revoke(): void

  /**
   * Runs `last` and COMMIT, in the same round trip if the driver can do that. Resolves only if the
   * server confirmed the commit. Otherwise rejects with the driver's error, or with
   * `transaction-aborted` if the server replied to COMMIT with a rollback. {@link isOutcomeKnown}
   * tells whether it is certain that nothing was committed.
   */
  commit<Row>(last: Statement<Row>, options: { readonly timeoutMs: number }): Promise<Row[]>

  /**
   * Sends ROLLBACK, then `next` in autocommit on the same connection. Rejects if no reply came in
   * time or the connection was lost. The connection is then destroyed, and the server's process may
   * have to be ended from another one.
   */
  rollback<Row>(options: {
    readonly timeoutMs: number
    readonly next?: Statement<Row>
  }): Promise<Row[]>

  /** Drops the connection without telling the server. */
  destroy(reason: Error): void
}

/** The isolation levels of PostgreSQL that differ from one another. */
export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

/**
 * One statement with its values. It returns every column as text or null, so that no type parser,
 * of a driver or installed by a user, can change a value.
 */
export interface Statement<Row = unknown> {
  /** The name of the statement in logs. If it is prepared, the prepared name contains it. */
  readonly name: string
  readonly text: string
  readonly values: readonly SqlValue[]
  /**
   * The types of the values, if they are known here: PostgreSQL then need not find them out, which
   * saves it 1 % of a request. A client that cannot send them leaves them out.
   */
  readonly types?: readonly number[]
  /**
   * Set if the statement writes nothing, or nothing that stays and whose commit it waits for. The
   * server may then be told to stop it once nobody waits for its reply. Another statement must not
   * be stopped: if it is cancelled while it waits for a synchronous standby, its transaction is
   * committed all the same.
   */
  readonly cancellable?: true
  /**
   * Set for BEGIN, COMMIT and ROLLBACK: a client that asks for the names of a statement's columns
   * need not ask here.
   */
  readonly hasNoRows?: true
  /** Never set: carries the type of its rows. */
  readonly row?: Row
}

export type SqlValue = string | number | Uint8Array | null
