import { endsWithin, within } from '@oncekey/core'
import { sqlState } from '../sql-state.ts'
import { sendCancelRequest } from './cancel-request.ts'
import type { PgClient } from './pg-client.ts'

/** A connection beside the pool, for asking about those of the pool. */
export interface OutsideClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>
  end(): unknown
}

export interface GivenUp {
  readonly client: PgClient
  /** Resolves with the server's answer, or with the loss of the connection. */
  readonly answer: Promise<unknown>
  /** Whether the server may be told to stop. */
  readonly mayCancel: boolean
}

/**
 * Resolves once the server has finished with a statement whose answer nobody waits for any more.
 *
 * A backend does not notice that its client is gone: it goes on waiting for its lock or its
 * standby. A pool that opened another connection instead would pile up backends until the server
 * refuses new ones. So the pool counts the connection as in use until the answer is there.
 *
 * A statement that writes nothing, or has not committed, is cancelled. One that may be committing
 * never is: cancelled in its wait for a synchronous standby, a COMMIT becomes visible to all
 * although a failover would take it back.
 *
 * A lost host never answers. So a connection outside the pool asks whether the backend is still
 * working; if there is no such connection, or no such backend, the wait ends.
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
    // Sent every time: a cancel request that arrives before its statement has no effect.
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
    // A server without a free connection is alive, and must not be asked for more of them.
    return sqlState(error) === TOO_MANY_CONNECTIONS
  } finally {
    connecting.then(end).catch(() => {})
  }
}

/** A backend that waits for its client never got the statement, and never will. */
const ACTIVITY = `select from pg_stat_activity where pid = $1 and state = 'active'`
const TOO_MANY_CONNECTIONS = '53300'
const FIRST_LOOK_MS = 500
const NEXT_LOOK_MS = 5_000
const ASK_TIMEOUT_MS = 1_000
