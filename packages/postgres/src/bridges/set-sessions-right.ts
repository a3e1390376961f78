import type { Statement } from '../sql/sql-client.ts'
import { sqlLiteral } from '../sql/sql-literal.ts'
import type { CallbackDriver } from './callback-driver.ts'

/** See {@link setSessionsRight}. */
export interface SetSessionsRight {
  (): void
  /**
   * Sends a statement of ours in a session that was just taken, and notes once in which role one
   * succeeded. When the signal aborts, nothing more is sent.
   */
  first<Row>(ask: Ask, statement: Statement<Row>, signal: AbortSignal): Promise<Row[]>
}

/** Sends a statement, in a transaction or in autocommit. */
export type Ask = <Row>(statement: Statement<Row>) => Promise<Row[]>

/**
 * Repairs the sessions of a driver's pool: resets an encoding or a READ ONLY that a handler left
 * set, and ends a session in which a role was left, or one on a server that takes no writes. Such a
 * driver cannot be told to drop a connection, but it notices when the server ends the session. As
 * many statements as the pool has connections are sent at once, because it is unknown which
 * connection a pool uses next. One round runs at a time, in the background.
 *
 * A role is never reset: the application may set one on each new connection, and the login's own
 * may be one that row-level security does not bind. The role in which our first statement succeeded
 * counts as the application's, and a session that has it stays: if it lacks a grant later, a new
 * session would lack it, too.
 */
export function setSessionsRight<Tx extends object>(driver: CallbackDriver<Tx>): SetSessionsRight {
  const isOne = driver.concurrency === 'one'
  let isWeeding = false
  let role: string | undefined

  function setRight(): void {
    if (isWeeding) return
    isWeeding = true
    const statement = isOne ? setOneRight(role) : setRightOf(role)
    const visits = Array.from({ length: driver.poolSize }, async () => driver.query(statement))
    void Promise.allSettled(visits).then(() => {
      isWeeding = false
    })
  }

  return Object.assign(setRight, {
    async first<Row>(ask: Ask, statement: Statement<Row>, signal: AbortSignal) {
      if (role !== undefined) return await ask(statement)
      const [row] = await ask(ROLE)
      signal.throwIfAborted()
      const rows = await ask(statement)
      role ??= row?.role
      return rows
    },
  })
}

const ROLE: Statement<{ role: string }> = {
  name: 'role',
  text: "select current_setting('role') as role",
  values: [],
}

/**
 * The server ends the session when it is idle, not during a statement: postgres.js can lose what it
 * has sent behind a running statement, and crashes if a session ends inside `begin`. Until then the
 * session keeps its role.
 */
function setRightOf(role: string | undefined): Statement {
  const isLeft = role === undefined ? 'false' : `current_setting('role') <> ${sqlLiteral(role)}`
  return {
    name: 'set_right',
    text: `do $$
      begin
        reset client_encoding;
        reset default_transaction_read_only;
        if ${isLeft} or pg_is_in_recovery()
          or current_setting('default_transaction_read_only')::boolean
        then
          perform set_config('idle_session_timeout', '1', false);
        end if;
      end $$`,
    values: [],
  }
}

/**
 * For a client with one session: it is never ended, because no second session exists and a new one
 * would not reach another server. It gets back the role of the application.
 */
function setOneRight(role: string | undefined): Statement {
  const resetRole =
    role === undefined ? '' : `perform set_config('role', ${sqlLiteral(role)}, false);`
  return {
    name: 'set_right',
    text: `do $$ begin
      ${resetRole}
      reset client_encoding;
      reset default_transaction_read_only;
    end $$`,
    values: [],
  }
}
