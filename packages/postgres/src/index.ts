export { type AppendOptions, type AppendTarget, append, transact } from './append.ts'
export type { PgPool } from './from-pg.ts'
export { type Inbox, type InboxContext, type InboxOptions, inbox, type Taken } from './log/inbox.ts'
export type { PostgresLogOptions } from './log/options.ts'
export { postgresLog } from './log/postgres-log.ts'
export { type MigrateOptions, migrate } from './migrate.ts'
export type { PostgresClient } from './postgres-client.ts'
export { type Purged, type PurgeOptions, purge } from './purge.ts'
export type {
  BeginOptions,
  Begun,
  Isolation,
  QueryOptions,
  ReservedClient,
  SqlClient,
  SqlTransaction,
  SqlValue,
  Statement,
} from './sql-client.ts'
export type { PostgresStoreOptions } from './store/options.ts'
export { postgresStore } from './store/postgres-store.ts'
