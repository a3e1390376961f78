import { OncekeyError } from '@oncekey/core'
import { within } from './deadline.ts'
import type { PgClient } from './from-pg.ts'
import { type OutsideClient, serverHasEnded } from './sql/given-up-session.ts'

/** Where clients of `pg` come from: its own pool, or a library's. */
export interface PgSource {
  readonly poolSize: number
  /** Whether there is no room for another client in it. */
  isFull(): boolean
  connect(): Promise<PgClient>
  /** With a reason, the client is not to be used again. */
  release(client: PgClient, reason?: Error): void
  /** A connection to the same server that counts to no pool. */
  connectOutside?(): Promise<OutsideClient>
}

/** A client borrowed from a pool, until one of `release`, `destroy` and `giveUp` is called; what is called later does nothing. */
export interface PgSession {
  readonly client: PgClient
  /** Gives it back, for the next one to use. Only when nothing is open and nothing is in doubt. */
  release(): void
  /** Takes it out of the pool and cuts its socket, whatever it is waiting for. */
  destroy(reason: Error): void
  /**
   * Nobody waits for its `answer` any more. Destroyed once the server has ended with it, and not
   * before: see {@link serverHasEnded}.
   */
  giveUp(reason: Error, answer: Promise<unknown>, options: { readonly mayCancel: boolean }): void
}

/** Lends clients of one pool. */
export function pgSessions(source: PgSource): (timeoutMs: number) => Promise<PgSession> {
  const { poolSize } = source
  let abandoned = 0

  return async function borrow(timeoutMs): Promise<PgSession> {
    // A pool that is stuck keeps every request for a client that gave up waiting in its queue.
    if (abandoned >= poolSize) throw busy(timeoutMs)
    const client = await connected(timeoutMs)
    const session = pgSession(source, client)
    if (isIdle(client)) return session
    // Somebody gave it back in the middle of a transaction: what we did on it would be theirs.
    session.destroy(new Error('The client was released to its pool with a transaction open.'))
    return borrow(timeoutMs)
  }

  function connected(timeoutMs: number): Promise<PgClient> {
    const isFull = source.isFull()
    const connecting = source.connect()
    const late = (): Error => {
      abandoned++
      const arrived = (): void => void abandoned--
      connecting
        .then(
          (client) => source.release(client),
          () => {},
        )
        .then(arrived)
      return isFull ? busy(timeoutMs) : unreachable(timeoutMs)
    }
    return within(timeoutMs, connecting, late).catch((error) => {
      throw POOL_TIMEOUT.test(String(error?.message)) ? busy(timeoutMs, error) : error
    })
  }

  function busy(timeoutMs: number, cause?: unknown): OncekeyError {
    return new OncekeyError(
      'store-busy',
      `No connection of the pool (max ${poolSize}) came free within ${Math.round(timeoutMs)} ms.`,
      { cause },
    )
  }
}

function unreachable(timeoutMs: number): OncekeyError {
  return new OncekeyError(
    'store-unavailable',
    `The PostgreSQL server took no connection within ${Math.round(timeoutMs)} ms.`,
  )
}

function pgSession(source: PgSource, client: PgClient): PgSession {
  // A pool stops listening for errors when it hands a client out, and an 'error' event that nobody
  // listens for ends the process. The query under way, or the next one, tells us the same.
  client.on('error', ignoreError)
  let isOver = false
  const destroy = (reason: Error): void => {
    source.release(client, reason)
    client.removeListener('error', ignoreError)
    // `end()` alone waits for the answers that are still to come.
    client.connection?.stream?.destroy()
  }
  const once = (end: () => void): void => {
    if (isOver) return
    isOver = true
    end()
  }
  return {
    client,
    release: () =>
      once(() => {
        source.release(client)
        client.removeListener('error', ignoreError)
      }),
    destroy: (reason) => once(() => destroy(reason)),
    giveUp: (reason, answer, { mayCancel }) =>
      once(() => {
        const ended = serverHasEnded({ client, answer, mayCancel }, source.connectOutside)
        void ended.then(() => destroy(reason))
      }),
  }
}

function isIdle(client: PgClient): boolean {
  const status = client.getTransactionStatus?.()
  return status === 'I' || status === null || status === undefined
}

/** The query under way, or the next one, tells of the same. */
export const ignoreError = (): void => {}

/** What pg-pool and Knex say when a timeout of their own ends the wait for a client in use. */
const POOL_TIMEOUT = /timeout exceeded when trying to connect|Timeout acquiring a connection/
