import { OncekeyError, type OptionsError } from '@oncekey/core'
import {
  askReadCommitted,
  refusedInput,
  type SqlClient,
  type Statement,
  sqlState,
  storeError,
} from '@oncekey/postgres/client'

/** The connection and the schema that a statement runs on. */
export interface WebhookTables {
  readonly sql: SqlClient
  /** The schema's name as it was given, unquoted, for messages. */
  readonly schemaName: string
}

/** Runs a statement in autocommit. Rejects only with documented codes. */
export async function runStatement<Row>(
  { sql, schemaName }: WebhookTables,
  statement: Statement<Row>,
): Promise<Row[]> {
  try {
    return await sql.query(statement, { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    throw codedError(error, schemaName)
  }
}

/** Runs a statement and resolves with its first row, if there is one. */
export async function firstRow<Row>(
  tables: WebhookTables,
  statement: Statement<Row>,
): Promise<Row | undefined> {
  const [row] = await runStatement(tables, statement)
  return row
}

/**
 * The same for a function that refuses other isolation levels: the session may have another one.
 */
export async function firstAtReadCommitted<Row>(
  { sql, schemaName }: WebhookTables,
  statement: Statement<Row>,
): Promise<Row | undefined> {
  try {
    const [row] = await askReadCommitted(sql, statement, { timeoutMs: TIMEOUT_MS })
    return row
  } catch (error) {
    throw codedError(error, schemaName)
  }
}

/**
 * Turns an error into a documented one: `store-not-migrated` for a missing table or function, and
 * the store's own error for the rest.
 */
function codedError(error: unknown, schemaName: string): OncekeyError | OptionsError {
  if (!MISSING.has(sqlState(error) ?? ''))
    return refusedInput(error) ?? storeError(error, schemaName)
  return new OncekeyError(
    'store-not-migrated',
    `The tables of webhooks are missing in the schema "${schemaName}", or older than this release. Run ` +
      `\`await migrate(pool, { ${schemaName === 'oncekey' ? '' : `schema: '${schemaName}', `}also: [webhookMigrations] })\` when you deploy.`,
    { cause: error },
  )
}

/** SQLSTATEs of an undefined table, column, function and schema. */
const MISSING = new Set(['42P01', '42703', '42883', '3F000'])
const TIMEOUT_MS = 30_000
