import type { PgClient } from './pg-client.ts'
import { sent } from './pg-wire.ts'

/**
 * Waits for the queries that somebody sent on a client without awaiting them, such as a SET in
 * `pool.on('connect')` or the BEGIN of a client that was released right after it. Until the server
 * has answered them, nothing that it reports of the session is true.
 *
 * A client with no such query needs no round trip. The empty query comes back behind all of them.
 */
export function earlierQueries(client: PgClient): Promise<unknown> | undefined {
  return client.readyForQuery === false ? sent(client, { text: '' }) : undefined
}
