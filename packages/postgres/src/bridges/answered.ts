import { OncekeyError, within } from '@oncekey/core'
import { isDriverTimeout } from '../sql/driver-timeout.ts'
import type { PgClient } from '../sql/pg/pg-client.ts'
import type { PgSession } from '../sql/pg/pg-session.ts'
import { sent } from '../sql/pg/pg-wire.ts'
import { isSessionFit, isSetInSession } from '../sql/session-fitness.ts'

/** Waits for the reply to what was sent. If it does not arrive in time, the session is given up. */
export async function answered<T>(
  session: PgSession,
  work: Promise<T>,
  options: {
    readonly timeoutMs: number
    /** Whether the statement may be cancelled: true if no part of it can be committing. */
    readonly mayCancel: boolean
    readonly signal?: AbortSignal | undefined
  },
): Promise<T> {
  const { timeoutMs, signal } = options
  let isLate = false
  const late = (): OncekeyError => {
    isLate = true
    return unanswered()
  }
  try {
    return await within(timeoutMs, work, late, signal)
  } catch (error) {
    const isWithdrawn = signal?.aborted === true && error === signal.reason
    if (isLate || isWithdrawn) session.giveUp(asError(error), work, options)
    // The driver's own timeout fired: the driver gave up, but the server may still be working.
    else if (isDriverTimeout(error)) session.giveUp(asError(error), idle(session.client), options)
    throw error
  }
}

/** Resolves once the client has received all replies or has lost its connection. */
function idle(client: PgClient): Promise<void> {
  return new Promise((resolve) => {
    if (client.connection?.stream?.destroyed === true) return resolve()
    client.once('drain', resolve)
    client.once('end', resolve)
  })
}

/**
 * Ends the use of a session after an error outside a transaction. An ordinary error leaves the
 * session usable.
 */
export function releaseOrDestroy(session: PgSession, error: unknown): void {
  if (isSessionFit(error)) session.release()
  else session.destroy(asError(error))
}

/**
 * After an error inside a transaction. Right after BEGIN the transaction counts as open (`isOpen`)
 * whatever the client reports, because the server sends an error at once and the session's state
 * later.
 */
export async function undo(
  session: PgSession,
  error: unknown,
  { isOpen = false }: { isOpen?: boolean } = {},
): Promise<void> {
  const rolledBack = error instanceof OncekeyError && error.code === 'transaction-aborted'
  // The handler changed settings of the session, so the next claim on that session would be
  // refused.
  const isFit = isSessionFit(error) || isSetInSession(error)
  if (!rolledBack && !isFit) return session.destroy(asError(error))
  try {
    if (isOpen || session.client.getTransactionStatus?.() !== 'I') {
      await within(UNDO_TIMEOUT_MS, sent(session.client, { text: 'ROLLBACK' }), unanswered)
    }
    session.release()
  } catch (lost) {
    session.destroy(asError(lost))
  }
}

export function unanswered(): OncekeyError {
  return new OncekeyError('store-unavailable', 'The PostgreSQL server did not answer in time.')
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

export const UNDO_TIMEOUT_MS = 1_000
