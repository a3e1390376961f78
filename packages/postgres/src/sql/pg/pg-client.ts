/**
 * The part of a `pg` `Pool` that is used here. Both overloads of `connect` are included so that
 * TypeScript can infer the pool's client type.
 */
export interface PgPool<Client = unknown> {
  connect(): Promise<Client>
  connect(
    callback: (
      error: Error | undefined,
      client: Client | undefined,
      done: (release?: unknown) => void,
    ) => void,
  ): void
  readonly options: {
    readonly max?: number | undefined
    readonly connectionTimeoutMillis?: number | undefined
  }
  readonly totalCount: number
  /** The class of the pool's clients. */
  readonly Client?: unknown
}

/** The part of a `pg` client that is used here. */
export interface PgClient {
  query(config: PgQuery): Promise<PgResult>
  query(config: PgQuery, callback: (error: Error | null, result: PgResult) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  /** Whether the client sends a query without waiting for the reply to the one before. */
  readonly pipeline?: boolean
  /** `false` while a query is under way. `pg-native` does not tell. */
  readonly readyForQuery?: boolean
  /** Returns `I` outside a transaction. */
  getTransactionStatus?(): string | null
  once(event: 'drain' | 'end', listener: () => void): unknown
  readonly connection?: {
    readonly stream?: {
      destroy(): unknown
      readonly destroyed?: boolean
      cork?(): void
      uncork?(): void
    }
  }
  readonly host?: string
  readonly port?: number
  readonly processID?: number | null
  readonly secretKey?: unknown
}

/** A client that a `pg` pool handed out. */
export interface PgPoolClient extends PgClient {
  release(error?: Error | boolean): void
}

export interface PgQuery {
  readonly text: string
  readonly name?: string
  readonly values?: unknown[]
  readonly types?: { getTypeParser(): (value: unknown) => string }
}

export interface PgResult {
  readonly command: string
  readonly rows: unknown[]
}
