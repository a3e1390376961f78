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
 * The last statement of an attempt without a key. It raises if its transaction is not the one that
 * `began` names.
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

/** The JSON of `reply`: in which process, and in which transaction of it, the attempt runs. */
export interface StartedJson {
  readonly state: 'run'
  /** The number of the server process. */
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
 * What tells the transaction apart. Its start time does, because no two transactions of a session
 * begin in the same microsecond. PGlite's clock counts milliseconds, so there the transaction also
 * carries a setting with a unique value, the mark.
 */
export function markOf(
  { concurrency }: Pick<SqlClient, 'concurrency'>,
  token: string,
): string | null {
  return concurrency === 'one' ? token : null
}

/**
 * The mark is a setting of the transaction. Returns the value that the last statement compares it
 * with, or null to skip the comparison. It is skipped if the handler sent nothing that can have
 * ended the transaction, because RESET ALL removes the setting although the transaction goes on.
 */
export function markAtEnd(
  client: Pick<SqlClient, 'concurrency'>,
  token: string,
  transaction: Pick<SqlTransaction, 'mayHaveEnded'>,
): string | null {
  return transaction.mayHaveEnded() ? markOf(client, token) : null
}
