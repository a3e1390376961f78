import { OncekeyError } from '@oncekey/core'
import { within } from './deadline.ts'
import type { BeginOptions, Begun, Statement } from './sql-client.ts'
import { type HandleRules, transactionHandle } from './transaction-handle.ts'

/** A driver or ORM whose transactions are a function that is given a callback. */
export interface CallbackDriver<Tx extends object> {
  /** Opens a transaction, runs `body` in it, commits when it resolves, rolls back when it rejects. */
  transaction(body: (tx: Tx) => Promise<void>): Promise<void>
  /** Runs a statement in the transaction, or in autocommit. */
  query<Row>(statement: Statement<Row>, tx?: Tx): Promise<Row[]>
  readonly rules: HandleRules
}

/**
 * Opens a transaction that outlives the call that opened it, on a driver that only knows callbacks:
 * the callback waits until it is told how the transaction ends.
 *
 * COMMIT's own answer is the driver's business here. A rollback in its place cannot go unseen all the
 * same: the last statement before it has succeeded, so the transaction was not aborted.
 */
export async function beginDeferred<Tx extends object, Row>(
  driver: CallbackDriver<Tx>,
  { isolation, first, timeoutMs }: BeginOptions<Row>,
): Promise<Begun<Tx, Row>> {
  const until = performance.now() + timeoutMs
  const opening = deferred(driver)
  const late = (): Error => {
    opening.then(({ end }) => end(ROLLBACK)).catch(() => {})
    return new OncekeyError('store-busy', `No transaction could be opened within ${timeoutMs} ms.`)
  }
  const { tx, end } = await within(timeoutMs, opening, late)
  const guard = transactionHandle(tx, driver.rules)

  try {
    const rows = await within(until - performance.now(), opened(), unanswered)
    return {
      rows,
      transaction: {
        handle: guard.handle,
        query: (statement) => driver.query(statement, tx),
        async commit(last, options) {
          guard.revoke()
          return await within(options.timeoutMs, committed(last), unanswered)
        },
        async rollback({ next, ...options }) {
          guard.revoke()
          await within(options.timeoutMs, end(ROLLBACK), unanswered)
          return next === undefined
            ? []
            : await within(options.timeoutMs, driver.query(next), unanswered)
        },
        destroy(reason) {
          guard.revoke()
          end(reason).catch(() => {})
        },
      },
    }
  } catch (error) {
    end(ROLLBACK).catch(() => {})
    throw error
  }

  async function opened(): Promise<Row[]> {
    const text = `set transaction isolation level ${isolation}`
    await driver.query({ name: 'isolation', text, values: [] }, tx)
    return await driver.query(first, tx)
  }

  async function committed<Last>(last: Statement<Last>): Promise<Last[]> {
    let rows: Last[]
    try {
      rows = await driver.query(last, tx)
    } catch (error) {
      await end(ROLLBACK)
      throw error
    }
    await end()
    return rows
  }
}

interface Deferred<Tx> {
  readonly tx: Tx
  /** Commits, or rolls back for the reason given; settles when that is done. */
  end(reason?: Error): Promise<void>
}

function deferred<Tx extends object>(driver: CallbackDriver<Tx>): Promise<Deferred<Tx>> {
  return new Promise((resolve, reject) => {
    const ended: Promise<void> = driver.transaction(
      (tx) =>
        new Promise<void>((commit, rollback) => {
          resolve({
            tx,
            end(reason) {
              if (reason === undefined) commit()
              else rollback(reason)
              return ended.catch((error) => {
                if (reason === undefined || !isCausedBy(error, reason)) throw error
              })
            },
          })
        }),
    )
    // Before it was open; later this promise has long been resolved.
    ended.catch(reject)
  })
}

/** The driver may wrap what its callback threw. */
function isCausedBy(error: unknown, reason: Error): boolean {
  return error === reason || (error instanceof Error && isCausedBy(error.cause, reason))
}

function unanswered(): OncekeyError {
  return new OncekeyError('store-unavailable', 'The database did not answer in time.')
}

const ROLLBACK = new Error('Oncekey rolled the transaction back.')
