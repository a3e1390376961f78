import type { PgClient } from './pg-client.ts'
import { sent } from './pg-wire.ts'

/**
 * Whether a session's client encoding is UTF8, as `pg` asks for it when it connects. Somebody who
 * set another one left it in the session: the server would take every text of ours for other
 * characters, so a key would not be found, and would be written under another scope.
 *
 * The server reports each change. A connection is listened to from the first call on, and counts as
 * speaking UTF8 until then, and while a query that changes it is under way: see {@link
 * earlierQueries}. That of `pg-native` cannot be listened to.
 */
export function speaksUtf8({ connection }: PgClient): boolean {
  const own = connection as Connection | undefined
  if (typeof own?.on !== 'function') return true
  let known = encodings.get(own)
  if (known === undefined) {
    const noted = { isUtf8: true }
    known = noted
    encodings.set(own, noted)
    own.on('parameterStatus', ({ parameterName: name, parameterValue: value }) => {
      if (name === 'client_encoding') noted.isUtf8 = value === 'UTF8'
    })
  }
  return known.isUtf8
}

/** Sets the encoding back. The server's report of it comes before its reply. */
export async function speakUtf8(client: PgClient): Promise<void> {
  await sent(client, { text: "SET client_encoding = 'UTF8'" })
}

const encodings = new WeakMap<object, { isUtf8: boolean }>()

/** The part of a client's connection that is used here. */
interface Connection {
  on?(event: 'parameterStatus', listener: (message: ParameterStatus) => void): unknown
}

interface ParameterStatus {
  readonly parameterName: string
  readonly parameterValue: string
}
