import { randomUUID } from 'node:crypto'
import { type Intake, OncekeyError, type OutboxEvent, type TakeIn } from '@oncekey/core'
import type { SqlTransaction } from '../sql-client.ts'
import { isOutcomeKnown, sqlState } from '../sql-state.ts'
import { backstopOf } from '../store/backstop.ts'
import { commitFailed } from '../store/completion-failed.ts'
import type { Place } from '../store/places.ts'
import { storeError } from '../store-error.ts'
import type { LogState } from './log-state.ts'
import type { TakenInJson } from './statements/take-in.ts'

/** Opens a consumer's transaction; its first statement marks the events as taken in. */
export async function openIntake<Tx>(log: LogState<Tx>, request: TakeIn): Promise<Intake<Tx>> {
  const { client, schemaName, transactions, maxTransactions, statements } = log
  const { consumer, eventIds, timeoutMs } = request
  const until = performance.now() + timeoutMs
  const place = await transactions.take({ timeoutMs })
  if (place === undefined) {
    throw new OncekeyError(
      'store-busy',
      `${maxTransactions} transactions of consumers are open (maxTransactions), and none ended ` +
        `within ${timeoutMs} ms.`,
    )
  }
  try {
    const token = randomUUID()
    const backstopMs = backstopOf(client, timeoutMs)
    const { rows, transaction } = await client.begin({
      isolation: 'read committed',
      first: statements.takeIn({ token, backstopMs, consumer, eventIds }),
      timeoutMs: Math.max(1, until - performance.now()),
    })
    const { fresh }: TakenInJson = JSON.parse(rows[0]?.answer ?? '')
    return intake(log, transaction, { token, place, fresh: new Set(fresh) })
  } catch (error) {
    place()
    throw storeError(error, schemaName)
  }
}

function intake<Tx>(
  { statements, timeoutMs }: LogState<Tx>,
  transaction: SqlTransaction<Tx>,
  { token, place, fresh }: { token: string; place: Place; fresh: ReadonlySet<string> },
): Intake<Tx> {
  let ended: Promise<void> | undefined
  return {
    handle: transaction.handle,
    fresh,
    commit(events) {
      ended ??= commit(events).finally(place)
      return ended
    },
    async rollback() {
      ended ??= transaction.rollback({ timeoutMs: ROLLBACK_TIMEOUT_MS }).then(
        () => {},
        () => {},
      )
      await ended.catch(() => {})
      place()
    },
  }

  async function commit(events: readonly OutboxEvent[]): Promise<void> {
    try {
      await transaction.commit(statements.endAttempt(token, events), { timeoutMs })
    } catch (error) {
      throw intakeError(error)
    }
  }
}

/** The next attempt finds out what is true: the inbox knows. */
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
      'A statement of the transaction failed, and the consumer went on as if it had not: nothing was ' +
        'written. Let the error through, or put SAVEPOINT and ROLLBACK TO around the statement.',
      { cause: error },
    )
  }
  return isOutcomeKnown(error) ? error : commitFailed(error)
}

const ATTEMPT_ENDED = 'OK001'
const IN_FAILED_TRANSACTION = '25P02'
const ROLLBACK_TIMEOUT_MS = 1_000
