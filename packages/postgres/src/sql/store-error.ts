import { messageOf, OncekeyError, OptionsError } from '@oncekey/core'
import {
  isOtherEncoding,
  isPreparedElsewhere,
  isReadOnlyServer,
  isRefusedToRole,
} from './session-fitness.ts'
import { sqlState } from './sql-state.ts'

/** Translates an error of one of our statements into a code of the contract. */
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
  if (isPreparedElsewhere(error)) {
    return new OncekeyError(
      'store-unavailable',
      'A prepared statement was not where it was made: there is a pooler in transaction mode that ' +
        'does not track them. Leave `prepare` off.',
      { cause: error },
    )
  }
  if (isOtherEncoding(error)) {
    return new OncekeyError(
      'store-unavailable',
      `${(error as Error).message}: somebody has set it on a connection of the pool, which was closed. ` +
        'Write SET LOCAL in a transaction, and RESET client_encoding in it once it is not needed.',
      { cause: error },
    )
  }
  if (isRefusedToRole(error)) {
    return new OncekeyError(
      'store-unavailable',
      `The role of the session lacks a grant in the schema "${schema}" (docs/grants.md): ` +
        `${messageOf(error)}. If somebody left another role in the session by SET ROLE, write SET ` +
        'LOCAL ROLE there; a pooler keeps that session until it is ended (PgBouncer: RECONNECT).',
      { cause: error },
    )
  }
  return new OncekeyError(
    'store-unavailable',
    `PostgreSQL could not be asked: ${messageOf(error)}`,
    { cause: error },
  )
}

/**
 * For statements whose parameters people write: an error that says that one of them cannot be read,
 * such as an id with a NUL in it or the wrong page of a list. The database is well, and would say
 * the same again.
 */
export function refusedInput(error: unknown): OptionsError | undefined {
  if (!sqlState(error)?.startsWith(DATA_EXCEPTION)) return undefined
  return new OptionsError(`PostgreSQL cannot read what was given: ${(error as Error).message}.`)
}

/** The class of SQLSTATEs for values that cannot be used. */
const DATA_EXCEPTION = '22'

/** No such table, column, function or schema. */
const NOT_THERE = new Set(['42P01', '42703', '42883', '3F000'])
