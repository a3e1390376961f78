import { messageOf, OncekeyError, warnOfFailure, within } from '@oncekey/core'
import type { BeginOptions, SqlClient, SqlTransaction } from '../sql/sql-client.ts'
import type { HandleRules } from './handle/handle-rules.ts'
import { transactionHandle } from './handle/transaction-handle.ts'

/** A library's transaction that runs on a driver's. */
export interface Wrapped<Tx> {
  readonly tx: Tx
  /** Called before the last statement. Throwing undoes the transaction. */
  ending?(): Promise<void>
  /** Called when the transaction is over. Its promise is not awaited. */
  ended?(how: 'commit' | 'rollback'): Promise<void>
  /** Called when the transaction is over, also if nobody knows how it ended. */
  over?(): void
}

/**
 * Makes a client from a library whose driver already has a bridge. The bridge provides connections,
 * sends our statements and finds out whether COMMIT succeeded; `wrap` makes the library's
 * transaction from the driver's guarded one. So a query that a handler built with the library and
 * sends too late is refused by the driver's guard.
 */
export function onDriver<Driver, Tx extends object>(
  driver: SqlClient<Driver>,
  wrap: (handle: Driver) => Promise<Wrapped<Tx>>,
  rules: HandleRules,
): SqlClient<Tx> {
  return {
    concurrency: driver.concurrency,
    poolSize: driver.poolSize,
    query: (statement, options) => driver.query(statement, options),
    ...(driver.reserve !== undefined && { reserve: driver.reserve }),

    async begin<Row>(options: BeginOptions<Row>) {
      const { timeoutMs } = options
      const { rows, transaction } = await driver.begin(options)
      const wrapping = wrap(transaction.handle)
      try {
        // A library may wait for a connection of its own, if it was given another pool.
        const wrapped = await within(timeoutMs, wrapping, () => notOpened(timeoutMs))
        return { rows, transaction: libraryTransaction(transaction, wrapped, rules) }
      } catch (error) {
        wrapping.then(
          ({ over }) => over?.(),
          () => {},
        )
        await transaction.rollback({ timeoutMs }).catch(() => {})
        throw error
      }
    },
  }
}

function libraryTransaction<Tx extends object>(
  transaction: SqlTransaction,
  { tx, ending, ended, over }: Wrapped<Tx>,
  rules: HandleRules,
): SqlTransaction<Tx> {
  const guard = transactionHandle(tx, rules)
  return {
    handle: guard.handle,
    mayHaveEnded: () => transaction.mayHaveEnded() || guard.mayHaveEnded(),
    revoke() {
      guard.revoke()
      transaction.revoke()
    },
    query: (statement) => transaction.query(statement),

    async commit(last, options) {
      guard.revoke()
      try {
        if (ending !== undefined) await within(options.timeoutMs, ending(), late).catch(undone)
        const rows = await transaction.commit(last, options)
        tell('commit')
        return rows
      } finally {
        over?.()
      }
    },

    async rollback(options) {
      guard.revoke()
      try {
        const rows = await transaction.rollback(options)
        tell('rollback')
        return rows
      } finally {
        over?.()
      }
    },

    destroy(reason) {
      guard.revoke()
      transaction.destroy(reason)
      tell('rollback')
      over?.()
    },
  }

  async function undone(cause: unknown): Promise<never> {
    await transaction.rollback({ timeoutMs: UNDO_TIMEOUT_MS })
    tell('rollback')
    const what = cause instanceof Error ? cause.message : String(cause)
    throw new OncekeyError('transaction-aborted', `Before COMMIT, a subscriber failed: ${what}`, {
      cause,
    })
  }

  function tell(how: 'commit' | 'rollback'): void {
    ended?.(how).catch((error) => {
      // A hook may reject with anything, and a warning takes only texts and errors.
      warnOfFailure('after-commit', `A hook that runs after ${how} failed: ${messageOf(error)}`)
    })
  }
}

function notOpened(timeoutMs: number): OncekeyError {
  return new OncekeyError(
    'store-busy',
    `The library did not open its transaction within ${Math.round(timeoutMs)} ms. Was it made with ` +
      'the pool that the bridge has?',
  )
}

function late(): Error {
  return new Error('it took too long')
}

const UNDO_TIMEOUT_MS = 1_000
