import { OncekeyError } from '@oncekey/core'
import { sqlState } from '../sql-state.ts'
import type { PgClient } from './pg-client.ts'
import { isIdle } from './transaction-status.ts'

/**
 * A pooler that shares sessions can give us one in the middle of another client's transaction. Our
 * statement then becomes part of that transaction, and is lost if it is rolled back. `pg` itself
 * cannot know, because its own connection is idle; but the server's reply to our statement says
 * that a transaction is open behind it.
 *
 * Waits for statements behind which no transaction may be open, and rejects if there is one. After
 * that the outcome of the statements is unknown, and the session unfit.
 */
export async function inAutocommit<T>(client: PgClient, work: Promise<T>): Promise<T> {
  const result = await work.catch((error) => {
    // Without a transaction around it, no statement can fail in this way.
    throw sqlState(error) === IN_FAILED_TRANSACTION ? insideAnother() : error
  })
  if (isIdle(client) === false) throw insideAnother()
  return result
}

/**
 * Waits for a message that begins a transaction. It rejects if the server warns that one was open
 * already: ours would commit what another client has not finished. It does so whatever became of
 * the statements behind BEGIN, because a ROLLBACK after their error would undo the other client's
 * work.
 */
export async function begunAlone<T>(client: PgClient, send: () => Promise<T>): Promise<T> {
  const warned = warnings(client.connection as Connection | undefined)
  const before = warned.count
  const [result] = await Promise.allSettled([send()])
  if (warned.count > before) throw insideAnother()
  if (result.status === 'fulfilled') return result.value
  // BEGIN itself fails in this way, without a warning, if the other transaction has failed.
  throw sqlState(result.reason) === IN_FAILED_TRANSACTION ? insideAnother() : result.reason
}

/** Counts the warnings of a connection that a transaction is in progress already. */
function warnings(connection: Connection | undefined): { readonly count: number } {
  if (typeof connection?.on !== 'function') return NONE
  const known = counted.get(connection)
  if (known !== undefined) return known
  const warned = { count: 0 }
  counted.set(connection, warned)
  connection.on('notice', ({ code }) => {
    if (code === ACTIVE_TRANSACTION) warned.count++
  })
  return warned
}

const counted = new WeakMap<object, { count: number }>()
const NONE = { count: 0 }

/** The part of a client's connection that is used here. */
interface Connection {
  on?(event: 'notice', listener: (message: { readonly code?: string }) => void): unknown
}

function insideAnother(): OncekeyError {
  return new OncekeyError(
    'store-unavailable',
    'A statement ran inside a transaction that another client has open on the server: a pooler in ' +
      'front of it gave one session to both. Nobody knows whether it will be kept, and the ' +
      'connection was closed.',
  )
}

const IN_FAILED_TRANSACTION = '25P02'
const ACTIVE_TRANSACTION = '25001'
