/**
 * A `Pool` of `pg`, down to what is used of it. Both forms of `connect` are here so that TypeScript
 * finds the pool's own client type among its overloads.
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
  readonly options: { readonly max?: number | undefined }
  readonly totalCount: number
  /** The class of its clients. */
  readonly Client?: unknown
}

/** A client of `pg`, down to what is used of it. */
export interface PgClient {
  query(config: PgQuery): Promise<PgResult>
  query(config: PgQuery, callback: (error: Error | null, result: PgResult) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  /** Whether it sends a query without waiting for the answer to the one before. */
  readonly pipeline?: boolean
  /** `I` outside a transaction. */
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
