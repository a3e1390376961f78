import { OncekeyError, OptionsError, sleep } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { lockNumber } from '../sql/lock-number.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import type { SqlClient, SqlTransaction } from '../sql/sql-client.ts'
import { sqlState } from '../sql/sql-state.ts'
import { storeError } from '../sql/store-error.ts'
import {
  migrationLock,
  recordMigration,
  type SchemaState,
  schemaState,
  schemaVersion,
} from './migration-statements.ts'
import { createMigrationsTable, createSchema } from './migrations/0000-schema.ts'
import { migrations } from './migrations/all.ts'
import { missingObjects } from './missing-objects.ts'

export interface MigrateOptions {
  /** The schema that contains every table and function of Oncekey. @default 'oncekey' */
  readonly schema?: string
  /**
   * Packages whose tables are migrated as well: `sagaMigrations` of `@oncekey/saga`,
   * `webhookMigrations` of `@oncekey/webhooks`. @default []
   */
  readonly also?: readonly PackageMigrations[]
}

/**
 * Creates the schema, or brings it up to this version. Each package's tables are migrated in one
 * transaction: all of them or none. Run it when you deploy, as often as you like, from any number
 * of processes at once.
 *
 * Processes of the release before can go on working meanwhile. For the lock on a table that is in
 * use, migrate waits a second at a time, and after each second lets the sessions go first that have
 * queued behind it. Throws `store-busy` if it got no lock for half a minute, `store-too-new` if a
 * newer release has migrated the schema, `store-not-migrated` if a part of the schema was dropped,
 * and `OptionsError` if the server is older than PostgreSQL 14 or the database is not in UTF8.
 *
 * @example
 * ```ts
 * await migrate(pool, { also: [sagaMigrations, webhookMigrations] })
 * ```
 */
export async function migrate<Tx>(
  client: PostgresClient<Tx>,
  options: MigrateOptions = {},
): Promise<void> {
  const { also = [], schema } = options
  if (!Array.isArray(also) || !also.every(isPackageMigrations)) {
    throw new OptionsError(
      'migrate: also is a list of migrations that packages export, such as [sagaMigrations].',
    )
  }
  for (const tables of [postgresMigrations, ...also]) {
    await migratePackage(client, tables, schema === undefined ? {} : { schema })
  }
}

function isPackageMigrations(value: unknown): value is PackageMigrations {
  const { package: name, migrations } = (value ?? {}) as Partial<PackageMigrations>
  return typeof name === 'string' && Array.isArray(migrations)
}

/** The migrations of a package's own tables, in order; one that was released is never changed. */
export interface PackageMigrations {
  readonly package: string
  readonly migrations: readonly ((schema: string) => string[])[]
  /** SQL that runs every time, after the migrations that were due. */
  readonly last?: (schema: string) => string
}

/** The migrations of this package, which {@link migrate} runs first. */
export const postgresMigrations: PackageMigrations = {
  package: 'postgres',
  migrations,
  // Runs before anything is written, because a database that was copied from another one continues
  // with the other's numbers.
  last: (schema) => `select ${schema}.name_life()`,
}

/**
 * Migrates the tables of another package, which are in the same schema and have their own versions.
 */
export async function migratePackage<Tx>(
  client: PostgresClient<Tx>,
  tables: PackageMigrations,
  options: Pick<MigrateOptions, 'schema'> = {},
): Promise<void> {
  const name = options.schema ?? 'oncekey'
  const schema = quotedSchema(name)
  const sql = sqlClientOf(client, { prepare: false })

  for (let left = TRIES; ; left -= 1) {
    try {
      return await migrateOnce(sql, tables, name, schema)
    } catch (error) {
      if (error instanceof OptionsError) throw error
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw storeError(error, name)
      if (left === 1) throw locked(name, error)
      // Lets sessions go first that queued behind the lock.
      await sleep(PAUSE_MS)
    }
  }
}

async function migrateOnce<Tx>(
  sql: SqlClient<Tx>,
  tables: PackageMigrations,
  name: string,
  schema: string,
): Promise<void> {
  const { transaction } = await sql.begin({
    isolation: 'read committed',
    first: migrationLock(lockNumber(['oncekey:migrate', name])),
    timeoutMs: TIMEOUT_MS,
  })
  try {
    // A statement that waits for its lock makes everybody behind it wait, readers included. So the
    // wait is limited.
    await run(transaction, [`set local lock_timeout = '${LOCK_TIMEOUT_MS}ms'`])
    await bringUp(transaction, tables, name, schema)
  } catch (error) {
    await transaction.rollback({ timeoutMs: TIMEOUT_MS }).catch(() => {})
    throw error
  }
  await transaction.commit(schemaVersion(schema)(tables.package), { timeoutMs: TIMEOUT_MS })
}

async function bringUp(
  transaction: SqlTransaction,
  tables: PackageMigrations,
  name: string,
  schema: string,
): Promise<void> {
  await ensureSchema(transaction, schema)
  const [row] = await transaction.query(schemaVersion(schema)(tables.package))
  const version = Number(row?.version)
  if (version > tables.migrations.length) throw tooNew(tables, name, version)
  for (const [index, migration] of tables.migrations.entries()) {
    if (index < version) continue
    try {
      await run(transaction, migration(schema))
    } catch (error) {
      if (OTHERWISE_THAN_LEFT.has(sqlState(error) ?? ''))
        throw halfThere(tables, name, version, error)
      throw error
    }
    await transaction.query(recordMigration(schema)(tables.package, index + 1))
  }
  const texts = tables.migrations.flatMap((migration) => migration(schema))
  const missing = await transaction.query(missingObjects(schema, texts))
  if (missing.length > 0) {
    throw halfThere(tables, name, tables.migrations.length, undefined, missing)
  }
  if (tables.last !== undefined) await run(transaction, [tables.last(schema)])
}

async function ensureSchema(transaction: SqlTransaction, schema: string): Promise<void> {
  const [state] = await transaction.query(schemaState(schema))
  if (state !== undefined) checkServer(state)
  if (state?.schema == null) await run(transaction, [createSchema(schema)])
  if (state?.migrations == null) await run(transaction, [createMigrationsTable(schema)])
}

async function run(transaction: SqlTransaction, texts: string[]): Promise<void> {
  for (const text of texts) await transaction.query({ name: 'migration', text, values: [] })
}

function tooNew(tables: PackageMigrations, schema: string, version: number): OncekeyError {
  return new OncekeyError(
    'store-too-new',
    `The schema "${schema}" is at version ${version} of @oncekey/${tables.package}, and this release knows ` +
      `${tables.migrations.length}. Upgrade the package, or migrate with the release that is deployed.`,
  )
}

/**
 * Checks the server before anything is created: otherwise a function of the schema would fail
 * later, in the middle of its work.
 */
function checkServer({ server, server_suits: suits, encoding }: SchemaState): void {
  if (suits !== 'true') {
    throw new OptionsError(
      `The server is PostgreSQL ${server}; Oncekey needs 14 or newer. Nothing was changed.`,
    )
  }
  if (encoding !== 'UTF8') {
    throw new OptionsError(
      `The database is encoded in ${encoding}, which cannot hold every key, response and event. Create ` +
        "one with `encoding 'UTF8' template template0`, and migrate that. Nothing was changed.",
    )
  }
}

function halfThere(
  tables: PackageMigrations,
  schema: string,
  version: number,
  cause?: unknown,
  missing: readonly { missing: string }[] = [],
): OncekeyError {
  const what =
    missing.length === 0
      ? (cause as Error).message
      : `${missing.map((each) => each.missing).join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing`
  return new OncekeyError(
    'store-not-migrated',
    `The schema "${schema}" is not as ${version === 0 ? 'an empty one is' : `version ${version} of @oncekey/${tables.package} leaves it`}: ` +
      `${what}. Somebody has dropped a part of it, or made a part by hand, and nothing was changed. Restore ` +
      `that part from a backup; or drop the rest, which forgets every key and event, and migrate again.`,
    { cause },
  )
}

function locked(schema: string, cause: unknown): OncekeyError {
  return new OncekeyError(
    'store-busy',
    `The schema "${schema}" was not migrated, and nothing was changed: somebody has held a lock on one of ` +
      `its tables through ${TRIES} tries of ${LOCK_TIMEOUT_MS} ms, such as a dump or a long transaction. ` +
      'Run it again when that has ended; pg_stat_activity says who it is.',
    { cause },
  )
}

/**
 * Errors that mean that an object which a migration creates is already there, or that an object
 * which an earlier migration created is missing.
 */
const OTHERWISE_THAN_LEFT = new Set([
  ...['42P07', '42701', '42710', '42723', '42P06'],
  ...['42P01', '42703', '42704', '42883'],
])
const LOCK_NOT_AVAILABLE = '55P03'
const LOCK_TIMEOUT_MS = 1_000
const PAUSE_MS = 500
const TRIES = 20
const TIMEOUT_MS = 60_000
