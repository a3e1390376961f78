import type { Statement } from '../../sql-client.ts'

/** An attempt whose end is waited for. */
export interface AwaitedAttempt {
  /** Of the key, in this process. */
  readonly id: string
  readonly lock: string
  readonly namespace: string
  readonly scope: string
  readonly key: string
  /** 0 where another transaction has the key. */
  readonly number: number
}

/** Which of these attempts are over; answers with their ids, as JSON. */
export function endedAttemptsStatement(
  schema: string,
): (attempts: readonly AwaitedAttempt[]) => Statement<{ ended: string }> {
  const text = `select ${schema}.ended_attempts($1) as ended`
  return (attempts) => ({
    name: 'ended_attempts',
    text,
    values: [JSON.stringify(attempts)],
    cancellable: true,
  })
}
