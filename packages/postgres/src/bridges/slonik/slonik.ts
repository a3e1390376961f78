import { OptionsError } from '@oncekey/core'
import type { SqlClient, Statement } from '../../sql/sql-client.ts'
import { fromCallbacks } from '../deferred-transaction.ts'
import type { HandleRules, Text } from '../handle/handle-rules.ts'
import { type Connection, type Pool, type SlonikQuery, STATEMENTS } from './connection.ts'
import { isMended } from './driver.ts'
import { interceptorsOf } from './interceptors.ts'
import { turnsOf, withTurns } from './turns.ts'

/** The part of a Slonik pool that is used here. */
export interface SlonikPool<Tx> {
  readonly configuration: object
  transaction<T>(
    handler: (connection: Tx) => Promise<T>,
    transactionRetryLimit?: number,
  ): Promise<T>
}

/**
 * A pool of Slonik as a client for {@link postgresStore}: a handler's `transaction()` is a
 * `DatabaseTransactionConnection`.
 *
 * @example
 * ```ts
 * const driverFactory = slonikDriver(createPgDriverFactory())
 * const pool = await createPool(process.env.DATABASE_URL, { driverFactory })
 * const store = postgresStore({ client: fromSlonik(pool) })
 * // in a handler
 * const tx = await once.of(req).transaction()
 * await tx.query(sql.unsafe`insert into orders (item) values (${item})`)
 * ```
 */
export function fromSlonik<Tx extends object>(pool: SlonikPool<Tx>): SqlClient<Tx> {
  const own = pool as unknown as Partial<Pool>
  if (typeof own?.transaction !== 'function' || typeof own.anyFirst !== 'function')
    throw notSlonik()
  // A connection, and a transaction, have the same methods; only a pool has a configuration.
  if (own.configuration === undefined || typeof own.connect !== 'function') throw notSlonik()
  const { configuration } = own
  if (!isMended(configuration.driverFactory)) throw losesConnections()
  const interceptors = interceptorsOf(configuration)

  return fromCallbacks<Tx>({
    concurrency: 'many',
    poolSize: configuration.maximumPoolSize ?? 10,
    rules: {
      statements: Object.fromEntries(STATEMENTS.map((name) => [name, textOf])),
      refused: [],
      nested: ['transaction'],
      checked: (transaction, check, _, sending) =>
        withTurns(transaction as Connection, sending, (call) => interceptors.watched(check, call)),
    } satisfies HandleRules,
    settled: (tx) => turnsOf(tx).take(async () => {}),

    async transaction(isolation, body) {
      const begun = async (tx: Tx): Promise<void> => {
        const text = `SET TRANSACTION ISOLATION LEVEL ${isolation}`
        await interceptors.none(() => sent(tx, { text, values: [] }))
        await body(tx)
      }
      // With a retry Slonik would run `body` again, after it was told that the request has failed.
      await interceptors.opening(() => pool.transaction(begun, 0)).catch(thrown)
    },

    async query<Row>(statement: Statement<Row>, tx?: Tx) {
      const send = (to: object): Promise<unknown[]> => interceptors.none(() => sent(to, statement))
      const turns = tx && turnsOf(tx)
      const rows = turns ? turns.take(() => send(turns.innermost ?? tx)) : send(pool)
      return (await rows.catch(thrown)) as Row[]
    },
  })
}

async function sent(
  connection: object,
  { text: sql, values }: Pick<Statement, 'text' | 'values'>,
): Promise<unknown[]> {
  try {
    const { rows } = await (connection as Connection).query({ type: QUERY, sql, values })
    return rows
  } catch (error) {
    // Slonik refuses the reply to a text with several statements, not the text: they have run.
    if (values.length === 0 && SEVERAL.test(String(error))) return []
    throw error
  }
}

const QUERY = 'SLONIK_TOKEN_QUERY'
const SEVERAL = /Must not use multiple statements in a single query/

/** Slonik keeps the error of `pg`, with its SQLSTATE, as the cause of one of its own. */
function thrown(error: unknown): never {
  const cause = error instanceof Error ? error.cause : undefined
  throw cause instanceof Error && 'code' in cause ? cause : error
}

function textOf(query: unknown): Text {
  return (query as Partial<SlonikQuery> | undefined)?.sql
}

function notSlonik(): OptionsError {
  return new OptionsError(
    'fromSlonik: this is not a pool of Slonik; its connections are not one. Write ' +
      'fromSlonik(await createPool(connectionUri, { driverFactory })).',
  )
}

function losesConnections(): OptionsError {
  return new OptionsError(
    'fromSlonik: the pool was made without slonikDriver, and would lose a place with each connection ' +
      'that is lost. Write createPool(connectionUri, { driverFactory: ' +
      'slonikDriver(createPgDriverFactory()) }); createPgDriverFactory is of @slonik/pg-driver.',
  )
}
