export type { PostgresClient } from './bridges/postgres-client.ts'
export { type AppendOptions, type AppendTarget, append } from './log/append.ts'
export { type Inbox, type InboxContext, type InboxOptions, inbox, type Taken } from './log/inbox.ts'
export type { PostgresLogOptions } from './log/options.ts'
export { postgresLog } from './log/postgres-log.ts'
export { transact } from './log/transact.ts'
export {
  type ConsumerHolder,
  type ConsumerSummary,
  type PostgresConsumers,
  postgresConsumers,
} from './operator/consumers.ts'
export { type ErasedEvent, eraseEvent } from './operator/erase-event.ts'
export { type Erased, eraseScope, type ScopeName } from './operator/erase-scope.ts'
export {
  type EventDelivery,
  type EventFilter,
  type EventPlace,
  type EventSummary,
  type Events,
  postgresEvents,
} from './operator/events.ts'
export { postgresRedrives } from './operator/redrives/postgres-redrives.ts'
export { type MigrateOptions, migrate, type PackageMigrations } from './schema/migrate.ts'
export type { PgPool } from './sql/pg/pg-client.ts'
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
} from './sql/sql-client.ts'
export type { PostgresStoreOptions } from './store/attempt/options.ts'
export { postgresStore } from './store/postgres-store.ts'
export { type Purged, type PurgeOptions, purge } from './store/purge.ts'
