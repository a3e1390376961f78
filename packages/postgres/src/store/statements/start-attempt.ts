import type { Statement } from '../../sql-client.ts'

/** Makes a transaction an attempt's, where there is no key to claim. */
export function startAttemptStatement(
  schema: string,
): (token: string, backstopMs: number) => Statement<{ answer: string }> {
  const text = `select ${schema}.start_attempt($1, $2) as answer where ${schema}.takes_writes()`
  return (token, backstopMs) => ({ name: 'start_attempt', text, values: [token, backstopMs] })
}

/** What `answer` is, in JSON: where the transaction runs. */
export interface StartedJson {
  readonly state: 'run'
  /** The server's process. */
  readonly backend: number
  /** When the transaction began, in microseconds. */
  readonly started: string
}
