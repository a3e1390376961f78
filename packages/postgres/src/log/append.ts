import { type EmittedEvent, OptionsError, type OutboxEvent, outboxEvent } from '@oncekey/core'
import { isManySessions } from '../bridges/postgres-client.ts'
import { appendEventsStatement } from '../commit/append-events.ts'
import { quotedSchema } from '../sql/schema-name.ts'

/** A transaction that takes text and values: a client of `pg`, a transaction of PGlite. */
export interface AppendTarget {
  query(text: string, values: unknown[]): Promise<unknown>
}

export interface AppendOptions {
  /** The schema that `migrate` created. @default 'oncekey' */
  readonly schema?: string
  /** CloudEvents `source` of events that have none. @default '/' */
  readonly eventSource?: string
}

/**
 * Appends events in a transaction of yours, outside of any request: they are committed with it or
 * not at all. Call it last, right before COMMIT: events are numbered when they are appended, so the
 * longer a transaction stays open after that, the less its numbers say about the order of commits.
 *
 * If you need no transaction of your own, use `transact`, which opens one and appends last.
 * Throws `event-invalid`; `OptionsError` for a pool or a database in place of a transaction.
 *
 * @example
 * ```ts
 * await client.query('begin')
 * await client.query('update orders set …')
 * await append(client, { type: 'order.shipped', subject: order.id })
 * await client.query('commit')
 * ```
 */
export async function append(
  transaction: AppendTarget,
  events: EmittedEvent | readonly EmittedEvent[],
  options: AppendOptions = {},
): Promise<readonly OutboxEvent[]> {
  if (typeof transaction?.query !== 'function' || isManySessions(transaction)) {
    throw new OptionsError(
      'append: pass the transaction that the events belong to: `append(client, { type, … })`. A pool ' +
        'or a database would commit them at once, whatever becomes of the transaction. Take a client ' +
        'of the pool (`await pool.connect()`), the `tx` of `db.transaction`, or use transact().',
    )
  }
  const written = [events].flat().map((event) => outboxEventOf(event, options))
  const statement = appendEventsStatement(quotedSchema(options.schema ?? 'oncekey'))(written)
  if (written.length > 0) await transaction.query(statement.text, [...statement.values])
  return written
}

export function outboxEventOf(
  event: EmittedEvent,
  { eventSource = '/' }: AppendOptions,
): OutboxEvent {
  return outboxEvent(event, { source: eventSource, traceparent: undefined })
}
