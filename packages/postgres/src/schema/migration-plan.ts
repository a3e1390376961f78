import { OncekeyError } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { lockNumber } from '../sql/lock-number.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import { sqlLiteral } from '../sql/sql-literal.ts'
import { storeError } from '../sql/store-error.ts'
import type { MigrateOptions, PackageMigrations } from './migrate.ts'
import { schemaState, schemaVersions } from './migration-statements.ts'
import { createMigrationsTable, createSchema } from './migrations/0000-schema.ts'

/** The migrations that `migratePackage` would run. */
export interface MigrationPlan {
  readonly package: string
  /** The newest migration that has run; 0 if none has. */
  readonly from: number
  /** The newest migration of this release. */
  readonly to: number
  /**
   * The statements of one transaction, which psql for example can run as they are; empty if nothing
   * is to be done. `migratePackage` finds nothing more to do afterwards.
   */
  readonly statements: readonly string[]
}

/**
 * Reads from the database what is left to migrate for each of these packages, and changes nothing.
 * Throws `store-unavailable`, and `store-too-new` if a newer release has migrated it.
 */
export async function planMigrations<Tx>(
  client: PostgresClient<Tx>,
  packages: readonly PackageMigrations[],
  options: MigrateOptions = {},
): Promise<readonly MigrationPlan[]> {
  const { hasSchema, versions } = await standing(client, options)
  let isFirst = versions === undefined
  return packages.map((tables) => {
    const creates = isFirst ? (hasSchema ? 'table' : 'schema') : 'nothing'
    const plan = planned(tables, versions?.get(tables.package) ?? 0, options, creates)
    if (plan.statements.length > 0) isFirst = false
    return plan
  })
}

/** The newest migration of each package that ran in a schema; `undefined` if none ever has. */
export async function migratedVersions<Tx>(
  client: PostgresClient<Tx>,
  options: MigrateOptions = {},
): Promise<ReadonlyMap<string, number> | undefined> {
  return (await standing(client, options)).versions
}

async function standing<Tx>(
  client: PostgresClient<Tx>,
  options: MigrateOptions,
): Promise<Standing> {
  const name = options.schema ?? 'oncekey'
  const schema = quotedSchema(name)
  const sql = sqlClientOf(client, { prepare: false })
  try {
    const [state] = await sql.query(schemaState(schema), { timeoutMs: TIMEOUT_MS })
    const hasSchema = state?.schema != null
    if (state?.migrations == null) return { hasSchema, versions: undefined }
    const rows = await sql.query(schemaVersions(schema), { timeoutMs: TIMEOUT_MS })
    return { hasSchema, versions: new Map(rows.map((row) => [row.package, Number(row.version)])) }
  } catch (error) {
    throw storeError(error, name)
  }
}

interface Standing {
  readonly hasSchema: boolean
  readonly versions: ReadonlyMap<string, number> | undefined
}

function planned(
  tables: PackageMigrations,
  from: number,
  options: MigrateOptions,
  creates: 'schema' | 'table' | 'nothing',
): MigrationPlan {
  const name = options.schema ?? 'oncekey'
  const schema = quotedSchema(name)
  const to = tables.migrations.length
  if (from > to) {
    throw new OncekeyError(
      'store-too-new',
      `The schema "${name}" is at version ${from} of @oncekey/${tables.package}, and this release knows ${to}.`,
    )
  }
  if (from === to) return { package: tables.package, from, to, statements: [] }
  const steps = tables.migrations.flatMap((migration, index) =>
    index < from
      ? []
      : [
          ...migration(schema),
          `insert into ${schema}.migrations (package, version) values (${sqlLiteral(tables.package)}, ${index + 1})`,
        ],
  )
  const statements = [
    'begin isolation level read committed',
    `select pg_advisory_xact_lock(${lockNumber(['oncekey:migrate', name])})`,
    "set local lock_timeout = '1s'",
    ...(creates === 'schema' ? [createSchema(schema)] : []),
    ...(creates === 'nothing' ? [] : [createMigrationsTable(schema)]),
    ...steps,
    ...(tables.last === undefined ? [] : [tables.last(schema)]),
    'commit',
  ]
  return { package: tables.package, from, to, statements }
}

const TIMEOUT_MS = 10_000
