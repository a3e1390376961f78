import type { PgClient } from './pg-client.ts'

/**
 * Forgets which of our statements a connection has prepared whenever the server does: by DISCARD
 * ALL, which pools run between two users of a connection, and by DEALLOCATE. `pg` itself goes on
 * using a name that the server no longer knows, which is an error (26000) of whatever comes next.
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

/** The connection of a client, down to what is used of it. */
interface Connection {
  readonly parsedStatements?: Record<string, string>
  on?(event: 'commandComplete', listener: (message: { readonly text: string }) => void): unknown
}
