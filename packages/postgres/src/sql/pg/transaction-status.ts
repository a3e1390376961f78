import type { PgClient } from './pg-client.ts'
import { sent } from './pg-wire.ts'

/**
 * Whether no transaction is open on a client that is not in use. A client that somebody released in
 * the middle of a transaction would take what a store writes, and nobody might ever commit it.
 *
 * Older releases of `pg` do not tell, 8.20 among them. There the server's own word is noted from
 * every reply; the first time an empty query asks for it, because somebody else may have used the
 * client before. The client of `pg-native` cannot be asked and counts as idle.
 */
export function isIdle(client: PgClient): boolean | Promise<boolean> {
  if (client.getTransactionStatus !== undefined) {
    const status = client.getTransactionStatus()
    return status === 'I' || status === null
  }
  const connection = client.connection as Connection | undefined
  if (typeof connection?.on !== 'function') return true
  const known = statuses.get(connection)
  if (known !== undefined) return known.status === 'I'
  const noted = { status: 'I' }
  statuses.set(connection, noted)
  connection.on('readyForQuery', ({ status }) => {
    noted.status = status
  })
  return sent(client, { text: '' }).then(() => noted.status === 'I')
}

/** What each connection was told in its last reply. */
const statuses = new WeakMap<object, { status: string }>()

/** The part of a client's connection that is used here. */
interface Connection {
  on?(event: 'readyForQuery', listener: (message: { readonly status: string }) => void): unknown
}
