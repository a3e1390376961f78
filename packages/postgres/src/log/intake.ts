import { randomUUID } from 'node:crypto'
import { type Intake, OncekeyError, type OutboxEvent, type TakeIn } from '@oncekey/core'
import { type Began, markAtEnd } from '../commit/attempt-mark.ts'
import { beginWithReply } from '../commit/begin-with-reply.ts'
import { commitFailed } from '../commit/completion-error.ts'
import { lastStatement } from '../commit/last-statement.ts'
import { backstopOf } from '../sql/backstop.ts'
import type { Permit } from '../sql/concurrency-limit.ts'
import type { SqlTransaction, Statement } from '../sql/sql-client.ts'
import { isOutcomeKnown, sqlState } from '../sql/sql-state.ts'
import { storeError } from '../sql/store-error.ts'
import type { LogState } from './log-state.ts'
import { isFromAnotherLife, restored } from './rebase.ts'
import type { TakenInJson } from './statements/intake.ts'

/** Opens a consumer's transaction; its first statement marks the events as taken in. */
export async function openIntake<Tx>(log: LogState<Tx>, request: TakeIn): Promise<Intake<Tx>> {
  const { client, schemaName, transactions, maxTransactions, statements } = log
  const { consumer, eventIds, slots, timeoutMs, signal } = request
  const until = performance.now() + timeoutMs
  // What is left is for the connection and BEGIN, also for whoever has waited longest.
  const permitMs = timeoutMs * PERMIT_SHARE
  const wait = { timeoutMs: permitMs, who: consumer, ...(signal && { signal }) }
  const permit = await transactions.take(wait)
  if (signal?.aborted) {
    permit?.()
    throw new OncekeyError('store-busy', 'Whoever waited for this transaction has gone.')
  }
  if (permit === undefined) {
    throw new OncekeyError(
      'store-busy',
      `${maxTransactions} transactions of consumers are open, as many as maxTransactions allows, and ` +
        `none came free for this one within ${Math.round(permitMs)} ms.`,
    )
  }
  try {
    const token = randomUUID()
    const backstopMs = backstopOf(client, timeoutMs)
    const { reply, transaction } = await beginWithReply<TakenInJson, Tx>(client, {
      isolation: 'read committed',
      first: statements.takeIn({ token, backstopMs, consumer, eventIds, slots }),
      timeoutMs: Math.max(1, until - performance.now()),
    })
    const { fresh, started } = reply
    const began = (): Began => ({
      mark: markAtEnd(client, token, transaction),
      started: started.started,
    })
    return intake(log, transaction, { began, permit, fresh: new Set(fresh) })
  } catch (error) {
    permit()
    throw isFromAnotherLife(error) ? restored(error) : storeError(error, schemaName)
  }
}

function intake<Tx>(
  { statements, timeoutMs }: LogState<Tx>,
  transaction: SqlTransaction<Tx>,
  { began, permit, fresh }: { began: () => Began; permit: Permit; fresh: ReadonlySet<string> },
): Intake<Tx> {
  let ended: Promise<void> | undefined
  return {
    handle: transaction.handle,
    fresh,
    commit(events) {
      ended ??= commit(events).finally(permit)
      return ended
    },
    async rollback() {
      ended ??= transaction.rollback({ timeoutMs: ROLLBACK_TIMEOUT_MS }).then(
        () => {},
        () => {},
      )
      await ended.catch(() => {})
      permit()
    },
  }

  async function commit(events: readonly OutboxEvent[]): Promise<void> {
    let last: Statement
    try {
      last = lastStatement(() => statements.endAttempt(began(), events))
    } catch (error) {
      await transaction.rollback({ timeoutMs: ROLLBACK_TIMEOUT_MS }).catch(() => {})
      throw error
    }
    try {
      await transaction.commit(last, { timeoutMs })
    } catch (error) {
      throw intakeError(error)
    }
  }
}

/**
 * Returns the error for a failed commit. If the outcome is unknown, the next attempt finds it in
 * the inbox.
 */
function intakeError(error: unknown): unknown {
  if (error instanceof OncekeyError) return error
  if (sqlState(error) === ATTEMPT_ENDED) {
    return new OncekeyError(
      'transaction-ended',
      'The consumer ended the transaction itself. Leave COMMIT and ROLLBACK to Oncekey.',
      { cause: error },
    )
  }
  if (sqlState(error) === IN_FAILED_TRANSACTION) {
    return new OncekeyError(
      'transaction-aborted',
      'A statement of the transaction failed, and the consumer continued, so nothing was written. ' +
        'Let the error through, or put SAVEPOINT and ROLLBACK TO around the statement.',
      { cause: error },
    )
  }
  return isOutcomeKnown(error) ? error : commitFailed(error)
}

/** The part of the time for a transaction that may be spent on waiting for a permit. */
const PERMIT_SHARE = 0.9

const ATTEMPT_ENDED = 'OK001'
const IN_FAILED_TRANSACTION = '25P02'
const ROLLBACK_TIMEOUT_MS = 1_000
