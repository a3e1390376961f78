import type { PgClient } from './pg-client.ts'

/**
 * Keeps track of which of our statements a connection has prepared. The server forgets them by
 * DISCARD ALL, which pools send between two users of a connection, and by DEALLOCATE. `pg` itself
 * would go on using a name that the server no longer knows, and the next statement would fail with
 * 26000.
 */
export function forgetWithServer(client: PgClient): void {
  const connection = client.connection as Connection | undefined
  if (connection?.on === undefined || watched.has(connection)) return
  watched.add(connection)
  connection.on('commandComplete', ({ text }) => {
    if (FORGETS.test(text)) forgetPrepared(client)
  })
}

export function forgetPrepared({ connection }: PgClient): void {
  const prepared = (connection as Connection | undefined)?.parsedStatements ?? {}
  for (const name of Object.keys(prepared)) {
    if (name.startsWith(STATEMENT_PREFIX)) delete prepared[name]
  }
}

/** The prefix of the names of our prepared statements. */
export const STATEMENT_PREFIX = 'oncekey_'

const FORGETS = /^(?:DISCARD ALL|DEALLOCATE)/
const watched = new WeakSet<object>()

/** The part of a client's connection that is used here. */
interface Connection {
  readonly parsedStatements?: Record<string, string>
  on?(event: 'commandComplete', listener: (message: { readonly text: string }) => void): unknown
}
