import { within } from '@oncekey/core'
import type { SqlClient } from '../../sql/sql-client.ts'
import { sqlState } from '../../sql/sql-state.ts'

/**
 * postgres.js can send BEGIN and then refuse the transaction: when BEGIN fills the pipeline of a
 * connection, or when its socket is full. The transaction then stays open on a connection of the
 * pool, and no caller holds it: it is called a stray here. Statements that land in a stray would be
 * lost when it is rolled back. So `begin` asks for READ ONLY, and the statement that opens an
 * attempt's transaction lifts it: in a stray, every write fails at once.
 *
 * The server accepts SET TRANSACTION READ WRITE only before the transaction's first snapshot. The
 * statement would overrule `default_transaction_read_only`, so that setting is applied again behind
 * it.
 */
export const OPEN_FOR_WRITES: string =
  'set transaction read write; ' +
  "select set_config('transaction_read_only', current_setting('default_transaction_read_only'), true); "

/**
 * A statement in autocommit has this in front, in the same message. It fails in a stray: it
 * compares two times, which are equal only if the message itself began the transaction. Without it,
 * a stray of READ COMMITTED that takes writes (left by a `sql.begin` of the application) would
 * swallow what a store writes, and a stray of another isolation level would read from an old
 * snapshot.
 */
export const NO_TRANSACTION: string =
  "select current_setting(case when now() = statement_timestamp() then 'transaction_isolation' " +
  "else 'oncekey.a_transaction_is_open' end); "

/**
 * Sends a statement again if it met a stray, once the pool's connections are free of strays. The
 * failed try had no effect, because each of these errors comes before the first write.
 */
export function withoutStrays<Tx>(
  client: SqlClient<Tx>,
  own: OwnBackends,
  send: (text: string) => Promise<Visit>,
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
    let visits = await everywhere('select')
    for (let round = 0; round < ROUNDS; round++) {
      // The driver has put the connection of a running attempt back into the pool. COMMIT there
      // would keep half of what its handler writes. This is tried again when the attempt is over.
      if (visits.some(({ isLent }) => isLent)) return
      // COMMIT, not ROLLBACK: the app may have sent statements in the stray and got their answers,
      // and these are kept.
      await everywhere('commit')
      visits = await everywhere('select')
      if (!visits.some(({ error }) => sqlState(error) === ABORTED)) break
    }
    const known = own.known()
    if (known.length > 0) await everywhere(endLeaked(known), 1)
  }

  /** Sends one statement per connection, all at once, because then each connection gets one. */
  async function everywhere(text: string, times = client.poolSize): Promise<Visit[]> {
    return await Promise.all(Array.from({ length: times }, () => send(text)))
  }
}

/** What a statement of ours met on a connection of the pool. */
export interface Visit {
  /** The error, if the statement failed. */
  readonly error: unknown
  /** Whether an attempt that is running has its transaction on this connection. */
  readonly isLent: boolean
}

function isFromStray(error: unknown): boolean {
  const state = sqlState(error)
  if (state === undefined) return (error as { code?: unknown })?.code === 'UNSAFE_TRANSACTION'
  return SIGNS.has(state) || (state === UNKNOWN_SETTING && /oncekey\.a_tr/.test(String(error)))
}

/** The server processes behind the connections of one pool. */
export interface OwnBackends {
  /** Notes which process answered a query, and that the transaction `tx` is open there. */
  saw(query: unknown, tx?: object): void
  /** The transaction has ended. */
  over(tx: object): void
  /** Whether a query went to the connection of a transaction that is open. */
  isLent(query: unknown): boolean
  known(): readonly KnownBackend[]
}

interface KnownBackend {
  readonly pid: number
  /** Milliseconds since it last answered. */
  readonly ago: number
}

/**
 * Notes the server processes of one pool. Every query of postgres.js refers to the object in which
 * its connection keeps the number of its server process, so there is one entry per connection. If a
 * connection was closed, another client may have the number by then, but that client's process
 * began after the last answer noted here.
 */
export function ownBackends(): OwnBackends {
  const seen = new Map<object, { readonly pid: number; readonly at: number }>()
  const lent = new Map<object, object>()
  return {
    saw(query, tx) {
      const state = stateOf(query)
      if (typeof state?.pid !== 'number') return
      seen.set(state, { pid: state.pid, at: performance.now() })
      if (tx !== undefined) lent.set(tx, state)
    },
    over: (tx) => void lent.delete(tx),
    isLent(query) {
      const state = stateOf(query)
      return [...lent.values()].some((other) => other === state)
    },
    known() {
      const now = performance.now()
      return [...seen.values()].map(({ pid, at }) => ({ pid, ago: Math.ceil(now - at) }))
    },
  }
}

function stateOf(query: unknown): { readonly pid?: number | null } | undefined {
  const { state } = query as { readonly state?: { readonly pid?: number | null } | null }
  return state ?? undefined
}

/**
 * A BEGIN that fails in an aborted stray makes postgres.js set the connection aside for good. This
 * statement has the server end such a session of the pool, after which the pool can open another.
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

/**
 * Error codes by which a stray is recognised. 25001: a statement has already run in the stray, so
 * its isolation level and READ ONLY can no longer be changed.
 */
const SIGNS = new Set([ABORTED, '25001'])
const TIMES = 3
const ROUNDS = 5
