import { OncekeyError } from '@oncekey/core'
import { type Statement, sqlState, storeError } from '@oncekey/postgres/client'
import type { ResolvedOptions } from './options.ts'

/** Runs a statement of ours in autocommit; what goes wrong has one of the codes that are documented. */
export async function runStatement<Row>(
  { sql, schemaName }: ResolvedOptions,
  statement: Statement<Row>,
): Promise<Row[]> {
  try {
    return await sql.query(statement, { timeoutMs: TIMEOUT_MS })
  } catch (error) {
    throw asOurs(error, schemaName)
  }
}

/** The first row, where there is one. */
export async function firstRow<Row>(
  options: ResolvedOptions,
  statement: Statement<Row>,
): Promise<Row | undefined> {
  const [row] = await runStatement(options, statement)
  return row
}

/** `store-not-migrated` where our tables and functions are missing; else as the store has it. */
export function asOurs(error: unknown, schemaName: string): OncekeyError {
  if (!NOT_THERE.has(sqlState(error) ?? '')) return storeError(error, schemaName)
  return new OncekeyError(
    'store-not-migrated',
    `The tables of webhooks are missing in the schema "${schemaName}". Run \`await hooks.migrate()\` when you deploy.`,
    { cause: error },
  )
}

/** Table, column, function, schema. */
const NOT_THERE = new Set(['42P01', '42703', '42883', '3F000'])
const TIMEOUT_MS = 30_000
