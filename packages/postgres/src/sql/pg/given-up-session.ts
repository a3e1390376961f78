import { endsWithin, within } from '@oncekey/core'
import { sqlState } from '../sql-state.ts'
import { sendCancelRequest } from './cancel-request.ts'
import type { PgClient } from './pg-client.ts'

/** A connection outside the pool, for asking the server about the pool's connections. */
export interface OutsideClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>
  end(): unknown
}

export interface GivenUp {
  readonly client: PgClient
  /** Resolves with the server's answer, or with the loss of the connection. */
  readonly answer: Promise<unknown>
  /** Whether the server may be asked to cancel the statement. */
  readonly mayCancel: boolean
}

/**
 * Resolves once the server has finished with a statement for which the caller no longer waits.
 *
 * A backend does not notice that its client is gone: it goes on waiting for a lock or for its
 * standby. If the pool opened another connection instead, backends would pile up until the server
 * refuses new ones. So the pool counts the connection as in use until the server has replied.
 *
 * A statement that writes nothing, or has not committed, is cancelled. A statement that may be
 * committing is never cancelled: if a COMMIT is cancelled while it waits for a synchronous standby,
 * it becomes visible to all although a failover would take it back.
 *
 * A lost host never replies. So a connection outside the pool asks whether the backend is still
 * working. The wait ends if the backend is gone, or if no such connection can be made.
 */
export async function serverHasEnded(
  { client, answer, mayCancel }: GivenUp,
  connectOutside: (() => Promise<OutsideClient>) | undefined,
): Promise<void> {
  const ended = answer.then(
    () => {},
    () => {},
  )
  const endsIn = (ms: number): Promise<boolean> => endsWithin(ended, ms, { unref: true })
  for (;;) {
    // Sent again in every round: a cancel request that arrives before its statement has no effect.
    if (mayCancel) sendCancelRequest(client)
    if (await endsIn(FIRST_LOOK_MS)) return
    if (mayCancel) sendCancelRequest(client)
    if (mayCancel && (await endsIn(FIRST_LOOK_MS))) return
    if (!(await isWorking(client, connectOutside))) return
    if (await endsIn(NEXT_LOOK_MS)) return
  }
}

async function isWorking(
  { processID }: PgClient,
  connectOutside: (() => Promise<OutsideClient>) | undefined,
): Promise<boolean> {
  if (connectOutside === undefined || typeof processID !== 'number') return false
  const connecting = connectOutside()
  const end = (outside: OutsideClient): unknown => outside.end()
  try {
    const asked = connecting.then((outside) => outside.query(ACTIVITY, [processID]))
    const { rows } = await within(ASK_TIMEOUT_MS, asked, () => new Error('no answer'))
    return rows.length > 0
  } catch (error) {
    // The server refuses connections because it has too many: it is alive, and the wait continues.
    return sqlState(error) === TOO_MANY_CONNECTIONS
  } finally {
    connecting.then(end).catch(() => {})
  }
}

/**
 * Only an active backend counts as working. One that waits for its client never got the statement,
 * and never will.
 */
const ACTIVITY = `select from pg_stat_activity where pid = $1 and state = 'active'`
const TOO_MANY_CONNECTIONS = '53300'
const FIRST_LOOK_MS = 500
const NEXT_LOOK_MS = 5_000
const ASK_TIMEOUT_MS = 1_000
