import type { SlonikConfiguration } from './interceptors.ts'

/** The part of Slonik's pool, connection and transaction that is used here. */
export interface Connection {
  readonly query: (query: SlonikQuery) => Promise<{ readonly rows: unknown[] }>
  readonly transaction: (
    handler: (connection: Connection) => Promise<unknown>,
    transactionRetryLimit?: number,
  ) => Promise<unknown>
}

export interface Pool extends Connection {
  readonly configuration: SlonikConfiguration & {
    readonly maximumPoolSize?: number
    readonly driverFactory?: unknown
  }
  readonly connect: unknown
  readonly anyFirst: unknown
}

export interface SlonikQuery {
  readonly type: string
  readonly sql: string
  readonly values: readonly unknown[]
}

/** The methods that send a statement. */
export const STATEMENTS = [
  'any',
  'anyFirst',
  'exists',
  'many',
  'manyFirst',
  'maybeOne',
  'maybeOneFirst',
  'one',
  'oneFirst',
  'query',
  'stream',
] as const
