import { randomUUID } from 'node:crypto'
import { type EmittedEvent, OncekeyError, type OutboxEvent, tell, wholeMs } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import {
  endAttempt,
  markAtEnd,
  markOf,
  type StartedJson,
  startAttempt,
} from '../commit/attempt-mark.ts'
import { beginWithReply } from '../commit/begin-with-reply.ts'
import { ATTEMPT_ENDED } from '../commit/completion-error.ts'
import { endedInside } from '../commit/ended-inside.ts'
import { lastStatement } from '../commit/last-statement.ts'
import { sameTransaction } from '../commit/same-transaction.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import type { Statement } from '../sql/sql-client.ts'
import { isOutcomeKnown, sqlState } from '../sql/sql-state.ts'
import { storeError } from '../sql/store-error.ts'
import { type AppendOptions, outboxEventOf } from './append.ts'

/**
 * Runs `work` in its own transaction, and commits its writes together with the events it emitted.
 * Events are held back until `work` is done, so that their order is the order of the commits.
 *
 * Throws what `work` throws; `commit-failed` if it is unknown whether the transaction was
 * committed; `transaction-ended` if it was no longer the one that was opened when it was to end,
 * because of a COMMIT or ROLLBACK that was not seen, so that some of the writes may be kept and no
 * event is; `transaction-aborted` if the events are too long together to be sent. `emit` throws
 * `attempt-over` once `work` has ended.
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
  const token = randomUUID()
  const first = startAttempt(schema)(token, NO_BACKSTOP)
  const { reply, transaction } = await beginWithReply<StartedJson, Tx>(sql, {
    isolation: 'read committed',
    first,
    timeoutMs,
  }).catch((error) => {
    throw storeError(error, name)
  })
  const { backend, started } = reply
  let result: Result
  let last: Statement
  try {
    result = await work(transaction.handle, emit)
    over = true
    const began = { mark: markAtEnd(sql, token, transaction), started }
    last = lastStatement(() => endAttempt(schema)(began, events))
  } catch (error) {
    over = true
    const isSame = sameTransaction({ started, mark: markOf(sql, token) })
    const asked = { isSame, backend, started, timeoutMs: Math.min(timeoutMs, ASK_TIMEOUT_MS) }
    const hasEnded = await endedInside(sql, transaction, asked)
    await transaction.rollback({ timeoutMs }).catch(() => {})
    throw hasEnded ? transactionEnded(error) : error
  }
  await transaction.commit(last, { timeoutMs }).catch((error) => {
    if (sqlState(error) === ATTEMPT_ENDED) throw transactionEnded(error)
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

function transactionEnded(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-ended',
    'transact: the transaction was ended by a COMMIT or ROLLBACK that was not seen, of the work or somebody ' +
      'else on its connection. Some of its writes may be kept, and no event is. Look which are there ' +
      'before you run it again.',
    { cause },
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

/** The work may take as long as it likes between two statements. */
const NO_BACKSTOP = 0
const ASK_TIMEOUT_MS = 5_000
