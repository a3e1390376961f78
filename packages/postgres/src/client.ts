/**
 * For packages that keep tables of their own in the same database: makes a port from any client,
 * and appends to the log in the caller's transactions.
 */
export type { CallbackDriver } from './bridges/callback-driver.ts'
export { fromCallbacks } from './bridges/deferred-transaction.ts'
export type { HandleRules } from './bridges/handle/handle-rules.ts'
export { type PostgresClient, sqlClientOf } from './bridges/postgres-client.ts'
export { appendEventsStatement, eventsJson } from './commit/append-events.ts'
export { type EndedQuestion, endedInside } from './commit/ended-inside.ts'
export { lastStatement } from './commit/last-statement.ts'
export { BEGUN_AT, type BegunAt } from './commit/transaction-state.ts'
export { auditCall, deadLetterTarget } from './operator/audit/audit-call.ts'
export { diedWithin, type LetterTable, type LookedAt, lookedAt } from './operator/looked-at.ts'
export type { RedriveKind } from './operator/redrives/redrive-kind.ts'
export { redrivesOf, startRedriveOf } from './operator/redrives/redrives-of.ts'
export { commentsOn, type TableComment } from './schema/comments/comments-on.ts'
export { refuseDropped, writtenFunction } from './schema/functions/expressions/must-be-written.ts'
export { readCommitted } from './schema/functions/expressions/read-committed.ts'
export {
  type MigrateOptions,
  migratePackage,
  type PackageMigrations,
  postgresMigrations,
} from './schema/migrate.ts'
export { type MigrationPlan, migratedVersions, planMigrations } from './schema/migration-plan.ts'
export { functionsWithoutJit } from './schema/migrations/functions-without-jit.ts'
export { clockWatch, readClock } from './sql/clock-watch.ts'
export { lockNumber } from './sql/lock-number.ts'
export { isPoolEnded } from './sql/never-sent.ts'
export { inBatch, RETENTION_AGO } from './sql/purge-batch.ts'
export { askReadCommitted, atReadCommitted } from './sql/read-committed.ts'
export { type ReservedConnection, reservedConnection } from './sql/reserved-connection.ts'
export { quotedSchema } from './sql/schema-name.ts'
export { isReadOnlyServer, isSetInSession } from './sql/session-fitness.ts'
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
export { isOutcomeKnown, sqlState } from './sql/sql-state.ts'
export { refusedInput, storeError } from './sql/store-error.ts'
