import { OncekeyError } from '@oncekey/core'
import { isReadOnlyServer } from './sql/session-fitness.ts'
import { sqlState } from './sql-state.ts'

/** What went wrong with a statement of ours, as one of the codes the contract knows. */
export function storeError(error: unknown, schema: string): OncekeyError {
  if (error instanceof OncekeyError) return error
  const state = sqlState(error)
  if (state !== undefined && NOT_THERE.has(state)) {
    const options = schema === 'oncekey' ? '' : `, { schema: '${schema}' }`
    return new OncekeyError(
      'store-not-migrated',
      `The schema "${schema}" is missing, or older than this release of @oncekey/postgres. ` +
        `Run \`await migrate(pool${options})\` when you deploy.`,
      { cause: error },
    )
  }
  if (isReadOnlyServer(error)) {
    return new OncekeyError(
      'store-unavailable',
      'The PostgreSQL server takes no writes: it is a standby, or was told to be read-only ' +
        '(default_transaction_read_only). The connection was closed, so that the next one goes to the ' +
        'server that the address leads to by then.',
      { cause: error },
    )
  }
  if (state !== undefined && NOT_PREPARED.has(state)) {
    return new OncekeyError(
      'store-unavailable',
      'A prepared statement was not where it was made: there is a pooler in transaction mode that ' +
        'does not track them. Leave `prepare` off.',
      { cause: error },
    )
  }
  return new OncekeyError(
    'store-unavailable',
    `PostgreSQL could not be asked: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  )
}

/** Table, column, function, schema, and a function of another shape. */
const NOT_THERE = new Set(['42P01', '42703', '42883', '3F000'])

/** Missing, or there already. */
const NOT_PREPARED = new Set(['26000', '42P05'])
