import { setImmediate } from 'node:timers/promises'
import { OncekeyError, within } from '@oncekey/core'
import { isPoolTimeout } from '../sql/driver-timeout.ts'
import { isReadOnlyServer, isSetInSession } from '../sql/session-fitness.ts'
import type {
  BeginOptions,
  Begun,
  Isolation,
  QueryOptions,
  SqlClient,
  Statement,
} from '../sql/sql-client.ts'
import { isOutcomeKnown } from '../sql/sql-state.ts'
import type { CallbackDriver } from './callback-driver.ts'
import { transactionHandle } from './handle/transaction-handle.ts'
import { type Ask, type SetSessionsRight, setSessionsRight } from './set-sessions-right.ts'

/**
 * Makes a client from a driver that runs a transaction only by calling a function. The transaction
 * outlives the call that opened it: the function waits until it is told to commit or to roll back.
 *
 * The reply to COMMIT goes to the driver, so a COMMIT that the server turned into a rollback is not
 * visible here. It cannot happen: the server does so only in an aborted transaction, and this one
 * is not aborted, because the statement before COMMIT succeeded and the handler cannot send
 * anything between the two.
 */
export function fromCallbacks<Tx extends object>(driver: CallbackDriver<Tx>): SqlClient<Tx> {
  const { concurrency, poolSize } = driver
  let abandoned = 0
  const setRight = setSessionsRight(driver)
  // A session that an earlier user left read-only, or with another setting, is set right. In a pool
  // this waits until the failed transaction is over: until then the pool would lend another
  // connection, and afterwards it lends this one next. A single session is set right at once,
  // before the next request gets it.
  const seen = (error: unknown, over?: Promise<void>): unknown => {
    if (isReadOnlyServer(error) || isSetInSession(error)) {
      if (over === undefined || concurrency === 'one') setRight()
      else
        void over
          .catch(() => {})
          .then(() => setImmediate())
          .then(setRight)
    }
    return isPoolTimeout(error) ? poolBusy(error as Error) : error
  }

  return {
    concurrency,
    poolSize,

    async query<Row>(statement: Statement<Row>, { timeoutMs, signal }: QueryOptions) {
      const stop = new AbortController()
      const isRead = statement.cancellable === true
      // A driver does not tell whether a statement was sent, so after a timeout the outcome of a
      // statement that writes is unknown.
      const late = (): Error => (isRead ? busy('Nothing could be asked', timeoutMs) : unanswered())
      const stoppable = isRead ? stop.signal : undefined
      try {
        const ask: Ask = (each) => driver.query(each, undefined, stoppable)
        const work = setRight.first(ask, statement, stop.signal)
        return await within(timeoutMs, work, late, signal)
      } catch (error) {
        stop.abort(error)
        throw seen(error)
      }
    },

    async begin<Row>(options: BeginOptions<Row>) {
      const { isolation, timeoutMs } = options
      // In a stuck pool, every transaction that was given up stays in the pool's queue.
      if (abandoned >= poolSize) throw busy('No transaction could be opened', timeoutMs)
      const until = performance.now() + timeoutMs
      const opening = deferred(driver, isolation)
      const late = (): Error => {
        abandoned++
        const arrived = (): void => void abandoned--
        opening.then(({ end }) => end(ROLLBACK)).then(arrived, arrived)
        return busy('No transaction could be opened', timeoutMs)
      }
      let over: Promise<void> | undefined
      try {
        const opened = await within(timeoutMs, opening, late)
        over = opened.lost
        return await begun(driver, opened, options, until, setRight)
      } catch (error) {
        throw seen(error, over)
      }
    },
  }
}

async function begun<Tx extends object, Row>(
  driver: CallbackDriver<Tx>,
  { tx, end, lost }: Deferred<Tx>,
  { first }: BeginOptions<Row>,
  until: number,
  setRight: SetSessionsRight,
): Promise<Begun<Tx, Row>> {
  const guard = transactionHandle(tx, driver.rules, driver.isLost ?? (() => false))
  let askedFor: Error | undefined
  // Otherwise the handler's next statement could go out on the connection that replaced the lost
  // one. A transaction that was rolled back, because we asked for it or because the server refused
  // its COMMIT, has lost no connection.
  lost.catch((error) => guard.revoke(isRolledBack(error) ? undefined : error))

  const stop = new AbortController()
  try {
    const work = setRight.first((each) => ask(each, stop.signal), first, stop.signal)
    const rows = await within(until - performance.now(), work, unanswered)
    return {
      rows,
      transaction: {
        handle: guard.handle,
        mayHaveEnded: () => driver.sharesConnections === true || guard.mayHaveEnded(),
        revoke: guard.revoke,
        async query(statement) {
          return await ask(statement)
        },
        async commit(last, options) {
          guard.revoke()
          const work = closed().then(() =>
            driver.pipelines === true ? together(last) : committed(last),
          )
          try {
            return await within(options.timeoutMs, work, unanswered)
          } catch (error) {
            // Has no effect once COMMIT was sent. Before that, `work` is still waiting for streams
            // that the handler left open, perhaps on a lost connection, and without this call the
            // driver would never return the connection.
            ended(ROLLBACK).catch(() => {})
            throw error
          }
        },
        async rollback({ next, ...options }) {
          guard.revoke()
          const work = settled().then(() => ended(ROLLBACK))
          try {
            await within(options.timeoutMs, work, unanswered)
          } catch (error) {
            ended(ROLLBACK).catch(() => {})
            throw error
          }
          return next === undefined
            ? []
            : await within(options.timeoutMs, driver.query(next), unanswered)
        },
        destroy(reason) {
          guard.revoke()
          closed()
            .then(() => ended(reason))
            .catch(() => {})
        },
      },
    }
  } catch (error) {
    stop.abort(error)
    ended(ROLLBACK).catch(() => {})
    throw error
  }

  async function ask<Asked>(statement: Statement<Asked>, signal?: AbortSignal): Promise<Asked[]> {
    const loss = guard.loss()
    if (loss !== undefined) throw loss.reason
    try {
      return await driver.query(statement, tx, signal)
    } catch (error) {
      if (driver.isLost?.(error)) guard.revoke(error)
      throw error
    }
  }

  function isRolledBack(error: unknown): boolean {
    return isOutcomeKnown(error) || (askedFor !== undefined && isCausedBy(error, askedFor))
  }

  function ended(reason?: Error): Promise<void> {
    guard.end()
    askedFor ??= reason
    return guard.loss() === undefined ? end(reason) : lost
  }

  /**
   * Resolves when the handler's open streams are closed and the driver sends nothing for a
   * savepoint, or their connection is lost.
   */
  async function closed(): Promise<void> {
    const closing = guard.closeStreams()
    if (closing !== undefined) await Promise.race([closing, lost.catch(() => {})])
    const quiet = guard.nestedQuiet()
    if (quiet !== undefined) await Promise.race([quiet, lost.catch(() => {})])
  }

  /**
   * Resolves when each statement that the handler sent has been answered or can no longer be
   * answered.
   */
  async function settled(): Promise<void> {
    await closed()
    await Promise.race([driver.settled?.(tx), lost.catch(() => {})])
  }

  async function committed<Last>(last: Statement<Last>): Promise<Last[]> {
    let rows: Last[]
    try {
      rows = await ask(last)
    } catch (error) {
      await ended(ROLLBACK)
      throw error
    }
    await ended()
    return rows
  }

  async function together<Last>(last: Statement<Last>): Promise<Last[]> {
    let isRefused = false
    const sending = ask(last)
    sending.catch(() => {
      isRefused = true
    })
    // By the next turn of the event loop the driver has sent `last`, however many promises it
    // passes it through, so COMMIT is sent right behind it. It is not if the driver refused `last`
    // itself: the server would not know of it, and would commit the rest.
    const ending = setImmediate().then(() => ended(isRefused ? ROLLBACK : undefined))
    const [sent, end] = await Promise.allSettled([sending, ending])
    if (sent.status === 'rejected') throw sent.reason
    if (end.status === 'rejected') throw end.reason
    return sent.value
  }
}

interface Deferred<Tx> {
  readonly tx: Tx
  /** Commits, or rolls back for the given reason. The promise settles when that is done. */
  end(reason?: Error): Promise<void>
  /**
   * Rejects when the transaction ends with an error, whoever ended it, or when its connection is
   * lost.
   */
  readonly lost: Promise<void>
}

function deferred<Tx extends object>(
  driver: CallbackDriver<Tx>,
  isolation: Isolation,
): Promise<Deferred<Tx>> {
  return new Promise((resolve, reject) => {
    const ended: Promise<void> = driver.transaction(
      isolation,
      (tx) =>
        new Promise<void>((commit, rollback) => {
          resolve({
            tx,
            lost: ended,
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
    // Rejects an opening that is still pending; for one that has resolved, this does nothing.
    ended.catch(reject)
  })
}

/** Whether the error is, or wraps, the one that our callback threw to roll back. */
function isCausedBy(error: unknown, reason: Error): boolean {
  return error === reason || (error instanceof Error && isCausedBy(error.cause, reason))
}

function busy(what: string, timeoutMs: number): OncekeyError {
  return new OncekeyError('store-busy', `${what} within ${Math.round(timeoutMs)} ms.`)
}

/** The error for a pool whose own timeout was shorter than ours. */
function poolBusy(cause: Error): OncekeyError {
  return new OncekeyError('store-busy', `No connection came free: ${cause.message}`, { cause })
}

function unanswered(): OncekeyError {
  return new OncekeyError('store-unavailable', 'The database did not answer in time.')
}

const ROLLBACK = new Error('Oncekey rolled the transaction back.')
