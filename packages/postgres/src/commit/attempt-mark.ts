import type { OutboxEvent } from '@oncekey/core'
import type { SqlClient, SqlTransaction, Statement } from '../sql/sql-client.ts'
import { eventsJson } from './append-events.ts'

/** The first statement of an attempt without a key: it marks the transaction as this attempt's. */
export function startAttempt(
  schema: string,
): (token: string, backstopMs: number) => Statement<{ reply: string }> {
  const text = `select ${schema}.start_attempt($1, $2) as reply where ${schema}.takes_writes()`
  return (token, backstopMs) => ({ name: 'start_attempt', text, values: [token, backstopMs] })
}

/**
 * The last statement of an attempt without a key. It raises unless `began` is of its transaction.
 */
export function endAttempt(
  schema: string,
): (began: Began, events: readonly OutboxEvent[]) => Statement {
  const text = `select ${schema}.end_attempt_3($1, $2, $3) as outcome`
  return ({ mark, started }, events) => ({
    name: 'end_attempt_3',
    text,
    values: [mark, started, events.length === 0 ? null : eventsJson(events)],
  })
}

/** The JSON of `reply`: where the transaction runs. */
export interface StartedJson {
  readonly state: 'run'
  /** The server's process. */
  readonly backend: number
  /** When the transaction began, in microseconds. */
  readonly started: string
}

/** How the last statement of an attempt recognises the transaction that its first one began. */
export interface Began {
  /** When the transaction began, in microseconds. */
  readonly started: string
  /** See {@link markOf}. */
  readonly mark: string | null
}

/**
 * The start time identifies a transaction, because no two of a session begin in one microsecond.
 * PGlite's clock counts milliseconds, so there the transaction also carries a setting.
 */
export function markOf(
  { concurrency }: Pick<SqlClient, 'concurrency'>,
  token: string,
): string | null {
  return concurrency === 'one' ? token : null
}

/**
 * The mark that the last statement asks for: none if nothing was sent that can have ended the
 * transaction. RESET ALL of a handler removes the setting, and is no end.
 */
export function markAtEnd(
  client: Pick<SqlClient, 'concurrency'>,
  token: string,
  transaction: Pick<SqlTransaction, 'mayHaveEnded'>,
): string | null {
  return transaction.mayHaveEnded() ? markOf(client, token) : null
}
