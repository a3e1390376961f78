import { OncekeyError, within } from '@oncekey/core'
import { isPoolTimeout } from '../driver-timeout.ts'
import { neverSent } from '../never-sent.ts'
import { speaksUtf8, speakUtf8 } from './client-encoding.ts'
import { earlierQueries } from './earlier-queries.ts'
import { type OutsideClient, serverHasEnded } from './given-up-session.ts'
import type { PgClient } from './pg-client.ts'
import { isIdle } from './transaction-status.ts'

/** Where clients of `pg` come from: its own pool, or a library's. */
export interface PgSource {
  readonly poolSize: number
  /** Whether no other client can be taken from it. */
  isFull(): boolean
  connect(): Promise<PgClient>
  /** Returns the client. With a reason, the client must not be used again. */
  release(client: PgClient, reason?: Error): void
  /** Opens a connection to the same server that does not count towards any pool. */
  connectOutside?(): Promise<OutsideClient>
}

/**
 * A client that is borrowed from a pool until one of `release`, `destroy` and `giveUp` is called.
 * Later calls do nothing.
 */
export interface PgSession {
  readonly client: PgClient
  /**
   * Returns the client to its pool. No transaction may be open in it, and no outcome may be
   * unknown.
   */
  release(): void
  /** Takes the client out of its pool and cuts its socket, whatever it is waiting for. */
  destroy(reason: Error): void
  /**
   * Destroys the client, but only once the server has finished with the statement of `answer`, for
   * which nobody is waiting: see {@link serverHasEnded}.
   */
  giveUp(reason: Error, answer: Promise<unknown>, options: { readonly mayCancel: boolean }): void
}

/** Lends clients of one pool. */
export function pgSessions(source: PgSource): (timeoutMs: number) => Promise<PgSession> {
  const { poolSize } = source
  let abandoned = 0

  return async function borrow(timeoutMs): Promise<PgSession> {
    // In a stuck pool, every request for a client that was given up stays in the pool's queue.
    if (abandoned >= poolSize) throw busy(timeoutMs)
    const until = performance.now() + timeoutMs
    const client = await connected(timeoutMs)
    const session = pgSession(source, client)
    // Called first, so that it hears what the earlier queries set.
    speaksUtf8(client)
    const earlier = earlierQueries(client)
    if (earlier !== undefined) await replied(session, earlier, until)
    const idle = isIdle(client)
    if (idle === true || (idle !== false && (await replied(session, idle, until)))) {
      if (!speaksUtf8(client)) await replied(session, speakUtf8(client), until)
      return session
    }
    // An earlier user released the client in the middle of a transaction, which our statements
    // would become part of.
    session.destroy(new Error('The client was released to its pool with a transaction open.'))
    return borrow(until - performance.now())
  }

  /** Nothing of ours was sent yet: after an error the session is of no use, and that is all. */
  async function replied<T>(session: PgSession, reply: Promise<T>, until: number): Promise<T> {
    const timeoutMs = until - performance.now()
    try {
      return await within(timeoutMs, reply, () => unreachable(timeoutMs))
    } catch (error) {
      session.destroy(error as Error)
      throw neverSent(error as Error)
    }
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
      throw isPoolTimeout(error) ? poolBusy(error) : neverSent(error)
    })
  }

  function busy(timeoutMs: number): OncekeyError {
    return new OncekeyError(
      'store-busy',
      `No connection of the pool (max ${poolSize}) came free within ${Math.round(timeoutMs)} ms.`,
    )
  }

  /** The error for a pool whose own timeout was shorter than ours. */
  function poolBusy(cause: Error): OncekeyError {
    const what = `No connection of the pool (max ${poolSize}) came free: ${cause.message}`
    return new OncekeyError('store-busy', what, { cause })
  }
}

function unreachable(timeoutMs: number): OncekeyError {
  return neverSent(
    new OncekeyError(
      'store-unavailable',
      `The PostgreSQL server took no connection within ${Math.round(timeoutMs)} ms.`,
    ),
  )
}

function pgSession(source: PgSource, client: PgClient): PgSession {
  // A pool removes its 'error' listener when it hands a client out, and an 'error' event without a
  // listener would end the process. The query under way, or the next one, rejects with the same
  // error.
  client.on('error', ignoreError)
  let isOver = false
  const destroy = (reason: Error): void => {
    source.release(client, reason)
    client.removeListener('error', ignoreError)
    // `end()` alone would wait for replies that are still outstanding.
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

/**
 * A listener that ignores 'error' events: the query under way, or the next one, rejects with the
 * same error.
 */
export const ignoreError = (): void => {}
