import { within } from '../sql/deadline.ts'
import type { SqlClient } from '../sql/sql-client.ts'
import { sqlState } from '../sql/sql-state.ts'

/**
 * postgres.js can send BEGIN and then refuse the transaction: when BEGIN fills the pipeline of a
 * connection, or when its socket is full. The transaction stays open on a connection of the pool,
 * and nobody holds it: a stray. So `begin` asks for READ ONLY, and the statement that opens an
 * attempt's transaction lifts that. In a stray every write fails instead of being lost later.
 *
 * After BEGIN the server takes SET TRANSACTION READ WRITE before the first snapshot only, and it
 * would overrule `default_transaction_read_only`, which is put back behind it.
 */
export const OPEN_FOR_WRITES: string =
  'set transaction read write; ' +
  "select set_config('transaction_read_only', current_setting('default_transaction_read_only'), true); "

/**
 * Goes before a statement in autocommit, in the same message, and fails in a stray: the server sets
 * both times when a message arrives that begins a transaction. A stray of READ COMMITTED that takes
 * writes, left by a `sql.begin` of the application, would swallow what a store writes; one of
 * another isolation level would show it an old snapshot.
 */
export const NO_TRANSACTION: string =
  "select current_setting(case when now() = statement_timestamp() then 'transaction_isolation' " +
  "else 'oncekey.a_transaction_is_open' end); "

/**
 * Sends again what met a stray, once the pool's connections are free of them. Nothing of it was
 * done: each of these errors comes before the first write.
 */
export function withoutStrays<Tx>(
  client: SqlClient<Tx>,
  send: (text: string) => PromiseLike<unknown>,
): SqlClient<Tx> {
  let ending: Promise<void> | undefined

  return {
    ...client,
    query: (statement, options) =>
      again(options.timeoutMs, (timeoutMs) => client.query(statement, { ...options, timeoutMs })),
    begin: (options) =>
      again(options.timeoutMs, (timeoutMs) => client.begin({ ...options, timeoutMs })),
  }

  async function again<T>(ms: number, ask: (timeoutMs: number) => Promise<T>): Promise<T> {
    const until = performance.now() + ms
    for (let time = 1; ; time++) {
      try {
        return await ask(until - performance.now())
      } catch (error) {
        if (time === TIMES || !isFromStray(error)) throw error
        ending ??= endStrays().finally(() => {
          ending = undefined
        })
        await within(until - performance.now(), ending, () => error as Error)
      }
    }
  }

  async function endStrays(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      // It keeps what was answered as done in a stray of the application.
      await everywhere('commit')
      const answers = await everywhere('select')
      if (!answers.some((answer) => sqlState(answer) === ABORTED)) break
    }
    await everywhere(END_LEAKED, 1)
  }

  /** One statement per connection, all at once, because that way each of them takes one. */
  async function everywhere(text: string, times = client.poolSize): Promise<unknown[]> {
    const visits = Array.from({ length: times }, async () => await send(text))
    const answers = await Promise.allSettled(visits)
    return answers.map((answer) => (answer.status === 'rejected' ? answer.reason : undefined))
  }
}

function isFromStray(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined) return (error as { code?: unknown })?.code === 'UNSAFE_TRANSACTION'
  return SIGNS.has(state) || (state === UNKNOWN_SETTING && /oncekey\.a_tr/.test(String(error)))
}

/**
 * A BEGIN that fails in an aborted stray makes postgres.js set the connection aside for good. The
 * server ends such a session, and the pool has its place again.
 */
const END_LEAKED = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and usename = session_user
    and application_name = current_setting('application_name')
    and state = 'idle in transaction (aborted)' and query ~* '^begin '`

const ABORTED = '25P02'
const UNKNOWN_SETTING = '42704'

/** 25001: something has been asked in the stray, so its isolation and READ ONLY are final. */
const SIGNS = new Set([ABORTED, '25001'])
const TIMES = 3
const ROUNDS = 5
