import { within } from '@oncekey/core'
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
  own: OwnBackends,
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
      // COMMIT, so that statements of the app that were answered in this transaction are kept.
      await everywhere('commit')
      const answers = await everywhere('select')
      if (!answers.some((answer) => sqlState(answer) === ABORTED)) break
    }
    const known = own.known()
    if (known.length > 0) await everywhere(endLeaked(known), 1)
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

/** The server processes behind the connections of one pool. */
export interface OwnBackends {
  /** Notes which process answered a query. */
  saw(query: unknown): void
  known(): readonly KnownBackend[]
}

interface KnownBackend {
  readonly pid: number
  /** How long ago it answered. Milliseconds. */
  readonly ago: number
}

/**
 * Every query of postgres.js carries the object in which its connection keeps the number of its
 * server process, so there are no more entries than connections. Behind a connection that was
 * closed the number may be another client's by now, but that process began after our last answer.
 */
export function ownBackends(): OwnBackends {
  const seen = new Map<object, { readonly pid: number; readonly at: number }>()
  return {
    saw(query) {
      const { state } = query as { readonly state?: { readonly pid?: number | null } | null }
      const pid = state?.pid
      if (state != null && typeof pid === 'number') seen.set(state, { pid, at: performance.now() })
    },
    known() {
      const now = performance.now()
      return [...seen.values()].map(({ pid, at }) => ({ pid, ago: Math.ceil(now - at) }))
    },
  }
}

/**
 * A BEGIN that fails in an aborted stray makes postgres.js set the connection aside for good. The
 * server ends such a session of this pool, and the pool has its place again.
 */
function endLeaked(own: readonly KnownBackend[]): string {
  return `select pg_terminate_backend(a.pid) from pg_stat_activity a
    join json_to_recordset('${JSON.stringify(own)}') as own (pid integer, ago bigint)
      on own.pid = a.pid
    where a.datname = current_database() and a.usename = session_user
      and a.backend_start <= clock_timestamp() - own.ago * interval '1 millisecond'
      and a.state = 'idle in transaction (aborted)' and a.query ~* '^begin '`
}

const ABORTED = '25P02'
const UNKNOWN_SETTING = '42704'

/** 25001: something has been asked in the stray, so its isolation and READ ONLY are final. */
const SIGNS = new Set([ABORTED, '25001'])
const TIMES = 3
const ROUNDS = 5
