/**
 * For packages that keep tables of their own beside these: any client as the port it is bridged to,
 * and what goes into the log in their own transactions.
 */
export { type CallbackDriver, fromCallbacks } from './deferred-transaction.ts'
export { lockNumber } from './lock-number.ts'
export { type MigrateOptions, migratePackage, type PackageMigrations } from './migrate.ts'
export { type PostgresClient, sqlClientOf } from './postgres-client.ts'
export { quotedSchema } from './schema-name.ts'
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
export { isOutcomeKnown, sqlState } from './sql-state.ts'
export { type ReservedConnection, reservedConnection } from './store/lease/reserved-connection.ts'
export { appendEventsStatement, eventsJson } from './store/statements/append-events.ts'
export { storeError } from './store-error.ts'
export type { HandleRules } from './transaction-handle.ts'
