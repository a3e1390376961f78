import { OncekeyError } from '@oncekey/core'
import { lockNumber } from './lock-number.ts'
import { createMigrationsTable, createSchema } from './migrations/0000-schema.ts'
import { migrations } from './migrations/all.ts'
import { type PostgresClient, sqlClientOf } from './postgres-client.ts'
import { quotedSchema } from './schema-name.ts'
import type { SqlTransaction } from './sql-client.ts'
import { migrationLock } from './statements/migration-lock.ts'
import { recordMigration } from './statements/record-migration.ts'
import { schemaState } from './statements/schema-state.ts'
import { schemaVersion } from './statements/schema-version.ts'
import { storeError } from './store-error.ts'

export interface MigrateOptions {
  /** The schema everything of Oncekey's is in. @default 'oncekey' */
  readonly schema?: string
}

/**
 * Creates the schema, or brings it up to this version: all of it or nothing, in one transaction.
 * Run it when you deploy; as often as you like, and from any number of processes at once.
 *
 * Processes of the version before go on working beside it. Throws `store-too-new` where a newer
 * version has been here.
 *
 * @example
 * ```ts
 * await migrate(pool)
 * ```
 */
export async function migrate<Tx>(
  client: PostgresClient<Tx>,
  options: MigrateOptions = {},
): Promise<void> {
  const name = options.schema ?? 'oncekey'
  const schema = quotedSchema(name)
  const sql = sqlClientOf(client, { prepare: false })

  try {
    const { transaction } = await sql.begin({
      isolation: 'read committed',
      first: migrationLock(lockNumber(['oncekey:migrate', name])),
      timeoutMs: TIMEOUT_MS,
    })
    await bringUp(transaction, name, schema).catch(async (error) => {
      await transaction.rollback({ timeoutMs: TIMEOUT_MS }).catch(() => {})
      throw error
    })
    await transaction.commit(schemaVersion(schema), { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    throw storeError(error, name)
  }
}

async function bringUp(transaction: SqlTransaction, name: string, schema: string): Promise<void> {
  await ensureSchema(transaction, schema)
  const version = await versionOf(transaction, schema)
  if (version > migrations.length) throw tooNew(name, version)
  for (const [index, migration] of migrations.entries()) {
    if (index < version) continue
    await run(transaction, migration(schema))
    await transaction.query(recordMigration(schema, index + 1))
  }
}

async function ensureSchema(transaction: SqlTransaction, schema: string): Promise<void> {
  const [state] = await transaction.query(schemaState(schema))
  if (state?.schema == null) await run(transaction, [createSchema(schema)])
  if (state?.migrations == null) await run(transaction, [createMigrationsTable(schema)])
}

async function versionOf(transaction: SqlTransaction, schema: string): Promise<number> {
  const [row] = await transaction.query(schemaVersion(schema))
  return Number(row?.version)
}

async function run(transaction: SqlTransaction, texts: string[]): Promise<void> {
  for (const text of texts) await transaction.query({ name: 'migration', text, values: [] })
}

function tooNew(schema: string, version: number): OncekeyError {
  return new OncekeyError(
    'store-too-new',
    `The schema "${schema}" is at version ${version}, and this release of @oncekey/postgres knows ` +
      `${migrations.length}. Upgrade the package, or migrate with the release that is deployed.`,
  )
}

const TIMEOUT_MS = 60_000
