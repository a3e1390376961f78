import type { OutboxEvent } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import { eventsJson } from './append-events.ts'

/** The end of an attempt without a key: raises if the handler ended the transaction itself. */
export function endAttemptStatement(
  schema: string,
): (token: string, events: readonly OutboxEvent[]) => Statement {
  const text = `select ${schema}.end_attempt_2($1, $2) as outcome`
  return (token, events) => ({
    name: 'end_attempt_2',
    text,
    values: [token, events.length === 0 ? null : eventsJson(events)],
  })
}
