import { setImmediate } from 'node:timers/promises'
import { OncekeyError } from '@oncekey/core'
import { within } from './deadline.ts'
import { isReadOnlyServer } from './sql/session-fitness.ts'
import { weedReadOnlySessions } from './sql/weed-sessions.ts'
import type {
  BeginOptions,
  Begun,
  Isolation,
  QueryOptions,
  SqlClient,
  Statement,
} from './sql-client.ts'
import { type HandleRules, transactionHandle } from './transaction-handle.ts'

/** A driver or ORM whose transactions are a function that is given a callback. */
export interface CallbackDriver<Tx extends object> {
  readonly concurrency: 'many' | 'one'
  readonly poolSize: number
  /** Opens a transaction, runs `body` in it, commits when it resolves, rolls back when it rejects. */
  transaction(isolation: Isolation, body: (tx: Tx) => Promise<void>): Promise<void>
  /**
   * Runs a statement in the transaction, or in autocommit. Aborted: stops it on the server, if it can.
   * Only what cannot be committing is ever aborted.
   */
  query<Row>(statement: Statement<Row>, tx?: Tx, signal?: AbortSignal): Promise<Row[]>
  /**
   * Whether statements that are sent one after the other arrive so. Then COMMIT does not wait for
   * the answer to the one before it, whose failure makes it a rollback.
   */
  readonly pipelines?: boolean
  readonly rules: HandleRules
}

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
  const weed = weedReadOnlySessions(driver)
  const seen = (error: unknown): void => {
    if (isReadOnlyServer(error)) weed()
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
        seen(error)
        throw error
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
      const opened = await within(timeoutMs, opening, late)
      return await begun(driver, opened, options, until).catch((error) => {
        seen(error)
        throw error
      })
    },
  }
}

async function begun<Tx extends object, Row>(
  driver: CallbackDriver<Tx>,
  { tx, end, lost }: Deferred<Tx>,
  { first }: BeginOptions<Row>,
  until: number,
): Promise<Begun<Tx, Row>> {
  const guard = transactionHandle(tx, driver.rules)
  let loss: { readonly reason: unknown } | undefined
  // Without this, what the handler sends next could go out on the connection that took its place.
  lost.catch((reason) => {
    loss = { reason }
    guard.revoke()
  })

  const stop = new AbortController()
  try {
    const work = driver.query(first, tx, stop.signal)
    const rows = await within(until - performance.now(), work, unanswered)
    return {
      rows,
      transaction: {
        handle: guard.handle,
        mayHaveEnded: guard.mayHaveEnded,
        revoke: guard.revoke,
        async query(statement) {
          if (loss !== undefined) throw loss.reason
          return await driver.query(statement, tx)
        },
        async commit(last, options) {
          guard.revoke()
          if (loss !== undefined) throw loss.reason
          const work = driver.pipelines === true ? together(last) : committed(last)
          return await within(options.timeoutMs, work, unanswered)
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
    stop.abort(error)
    end(ROLLBACK).catch(() => {})
    throw error
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

  async function together<Last>(last: Statement<Last>): Promise<Last[]> {
    const sending = driver.query(last, tx)
    // When it is on its way, however many promises the driver has it pass through before.
    const ending = setImmediate().then(() => end())
    const [sent, ended] = await Promise.allSettled([sending, ending])
    if (sent.status === 'rejected') throw sent.reason
    if (ended.status === 'rejected') throw ended.reason
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

function unanswered(): OncekeyError {
  return new OncekeyError('store-unavailable', 'The database did not answer in time.')
}

const ROLLBACK = new Error('Oncekey rolled the transaction back.')
