import {
  type EmittedEvent,
  OncekeyError,
  OptionsError,
  type OutboxEvent,
  outboxEvent,
  tell,
  wholeMs,
} from '@oncekey/core'
import { isManySessions, type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { appendEventsStatement } from '../commit/append-events.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import { isOutcomeKnown } from '../sql/sql-state.ts'
import { storeError } from '../sql/store-error.ts'

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
 * If you need no transaction of your own, use {@link transact}, which opens one and appends last.
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

/**
 * Runs `work` in its own transaction, and commits its writes together with the events it emitted.
 * Events are held back until `work` is done, so that their order is the order of the commits.
 *
 * Throws what `work` throws, and `commit-failed` if it is unknown whether the transaction was
 * committed. `emit` throws `attempt-over` once `work` has ended.
 *
 * @example
 * ```ts
 * await transact(pool, async (tx, emit) => {
 *   await tx.query('update orders set …')
 *   emit({ type: 'order.shipped', subject: order.id })
 * })
 * ```
 */
export async function transact<Tx, Result>(
  client: PostgresClient<Tx>,
  work: (transaction: Tx, emit: (event: EmittedEvent) => void) => Promise<Result> | Result,
  options: AppendOptions & {
    /** How long each of our statements may take. Milliseconds. @default 30000 */
    readonly timeoutMs?: number
  } = {},
): Promise<Result> {
  const { schema: name = 'oncekey' } = options
  const timeoutMs = wholeMs('transact: timeoutMs', options.timeoutMs ?? 30_000, 1)
  const schema = quotedSchema(name)
  const sql = sqlClientOf(client, { prepare: false })
  const events: OutboxEvent[] = []
  let over = false
  const emit = (event: EmittedEvent): void => {
    if (over) throw workIsOver()
    events.push(outboxEventOf(event, options))
  }
  const nothing = { name: 'nothing', text: 'select', values: [] }
  const { transaction } = await sql
    .begin({ isolation: 'read committed', first: nothing, timeoutMs })
    .catch((error) => {
      throw storeError(error, name)
    })
  let result: Result
  try {
    result = await work(transaction.handle, emit)
    over = true
  } catch (error) {
    over = true
    await transaction.rollback({ timeoutMs }).catch(() => {})
    throw error
  }
  const last = events.length === 0 ? nothing : appendEventsStatement(schema)(events)
  await transaction.commit(last, { timeoutMs }).catch((error) => {
    throw isOutcomeKnown(error) ? error : outcomeUnknown(error)
  })
  if (events.length > 0) tell('oncekey:appended', () => ({ count: events.length }))
  return result
}

function workIsOver(): OncekeyError {
  return new OncekeyError(
    'attempt-over',
    'emit(): the work of transact() has ended. Call emit() before it returns.',
  )
}

/**
 * Passes an error on, and makes it `commit-failed` if it is the one after which nobody knows
 * whether the transaction was committed.
 */
function outcomeUnknown(cause: unknown): unknown {
  if (cause instanceof OncekeyError && cause.code === 'transaction-aborted') return cause
  return new OncekeyError(
    'commit-failed',
    'transact: the answer to COMMIT was lost, so it is unknown whether the transaction was committed ' +
      'with its events. Check whether its writes are there before you run it again.',
    { cause },
  )
}

function outboxEventOf(event: EmittedEvent, { eventSource = '/' }: AppendOptions): OutboxEvent {
  return outboxEvent(event, { source: eventSource, traceparent: undefined })
}
