import { setImmediate } from 'node:timers/promises'
import { OncekeyError } from '@oncekey/core'
import { within } from '../sql/deadline.ts'
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
import type { CallbackDriver } from './callback-driver.ts'
import { setSessionsRight } from './set-sessions-right.ts'
import { transactionHandle } from './transaction-handle.ts'

/**
 * The port on a driver that only knows callbacks: a transaction outlives the call that opened it,
 * because the callback waits until it is told how the transaction ends.
 *
 * COMMIT's own answer is the driver's business here. A rollback in its place cannot go unseen all the
 * same: the statement before it has succeeded, and nothing of the handler's comes between the two,
 * so the transaction was not aborted.
 */
export function fromCallbacks<Tx extends object>(driver: CallbackDriver<Tx>): SqlClient<Tx> {
  const { concurrency, poolSize } = driver
  let abandoned = 0
  const setRight = setSessionsRight(driver)
  const seen = (error: unknown): unknown => {
    if (isReadOnlyServer(error) || isSetInSession(error)) setRight()
    return isPoolTimeout(error) ? poolBusy(error as Error) : error
  }

  return {
    concurrency,
    poolSize,

    async query<Row>(statement: Statement<Row>, { timeoutMs, signal }: QueryOptions) {
      const stop = new AbortController()
      const isRead = statement.cancellable === true
      // A driver does not say whether it has sent a statement, or will later: one that writes is in doubt.
      const late = (): Error => (isRead ? busy('Nothing could be asked', timeoutMs) : unanswered())
      const stoppable = isRead ? stop.signal : undefined
      try {
        return await within(timeoutMs, driver.query(statement, undefined, stoppable), late, signal)
      } catch (error) {
        stop.abort(error)
        throw seen(error)
      }
    },

    async begin<Row>(options: BeginOptions<Row>) {
      const { isolation, timeoutMs } = options
      // A pool that is stuck keeps every transaction that nobody waits for any more in its queue.
      if (abandoned >= poolSize) throw busy('No transaction could be opened', timeoutMs)
      const until = performance.now() + timeoutMs
      const opening = deferred(driver, isolation)
      const late = (): Error => {
        abandoned++
        const arrived = (): void => void abandoned--
        opening.then(({ end }) => end(ROLLBACK)).then(arrived, arrived)
        return busy('No transaction could be opened', timeoutMs)
      }
      try {
        return await begun(driver, await within(timeoutMs, opening, late), options, until)
      } catch (error) {
        throw seen(error)
      }
    },
  }
}

async function begun<Tx extends object, Row>(
  driver: CallbackDriver<Tx>,
  { tx, end, lost }: Deferred<Tx>,
  { first }: BeginOptions<Row>,
  until: number,
): Promise<Begun<Tx, Row>> {
  const guard = transactionHandle(tx, driver.rules, driver.isLost)
  // Without this, what the handler sends next could go out on the connection that took its place.
  lost.catch(guard.revoke)

  const stop = new AbortController()
  try {
    const work = ask(first, stop.signal)
    const rows = await within(until - performance.now(), work, unanswered)
    return {
      rows,
      transaction: {
        handle: guard.handle,
        mayHaveEnded: guard.mayHaveEnded,
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
            // Unless COMMIT is on its way. A driver may wait for what the handler has left open, whatever
            // becomes of the connection, and would keep it for good.
            ended(ROLLBACK).catch(() => {})
            throw error
          }
        },
        async rollback({ next, ...options }) {
          guard.revoke()
          const work = closed().then(() => ended(ROLLBACK))
          await within(options.timeoutMs, work, unanswered)
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

  function ended(reason?: Error): Promise<void> {
    return guard.loss() === undefined ? end(reason) : lost
  }

  /** What the handler has left open, or the connection is lost that it was open on. */
  async function closed(): Promise<void> {
    const closing = guard.closeStreams()
    if (closing !== undefined) await Promise.race([closing, lost.catch(() => {})])
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
    const sending = ask(last)
    // When it is on its way, however many promises the driver has it pass through before.
    const ending = setImmediate().then(() => ended())
    const [sent, end] = await Promise.allSettled([sending, ending])
    if (sent.status === 'rejected') throw sent.reason
    if (end.status === 'rejected') throw end.reason
    return sent.value
  }
}

interface Deferred<Tx> {
  readonly tx: Tx
  /** Commits, or rolls back for the reason given; settles when that is done. */
  end(reason?: Error): Promise<void>
  /** Rejects when the transaction ends badly, whoever ended it; a lost connection does. */
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
    // Before it was open; later this promise has long been resolved.
    ended.catch(reject)
  })
}

/** The driver may wrap what its callback threw. */
function isCausedBy(error: unknown, reason: Error): boolean {
  return error === reason || (error instanceof Error && isCausedBy(error.cause, reason))
}

function busy(what: string, timeoutMs: number): OncekeyError {
  return new OncekeyError('store-busy', `${what} within ${Math.round(timeoutMs)} ms.`)
}

/** By a limit of the pool's own, which is shorter. */
function poolBusy(cause: Error): OncekeyError {
  return new OncekeyError('store-busy', `No connection came free: ${cause.message}`, { cause })
}

function unanswered(): OncekeyError {
  return new OncekeyError('store-unavailable', 'The database did not answer in time.')
}

const ROLLBACK = new Error('Oncekey rolled the transaction back.')
