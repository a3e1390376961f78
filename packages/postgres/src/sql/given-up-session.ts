import { within } from '../deadline.ts'
import type { PgClient } from '../from-pg.ts'
import { sqlState } from '../sql-state.ts'
import { sendCancelRequest } from './cancel-request.ts'

/** A connection beside the pool, for asking about those of the pool. */
export interface OutsideClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: unknown[] }>
  end(): unknown
}

export interface GivenUp {
  readonly client: PgClient
  /** Settles with the server's answer, or with the loss of the connection. */
  readonly answer: Promise<unknown>
  /** Whether the server may be told to stop. */
  readonly mayCancel: boolean
}

/**
 * Done once the server has ended with a statement whose answer nobody waits for any more.
 *
 * A backend does not notice that its client is gone: it waits on for its lock, and for its standby. A
 * pool that opened another connection in its place would have more and more of them, until the server
 * takes nobody any more. So the place stays taken until the answer is there.
 *
 * What writes nothing, or has not committed, is told to stop. What may be committing never is: in its
 * wait for a synchronous standby a cancelled COMMIT is done all the same, and seen by all although a
 * failover would take it back.
 *
 * A host that is lost answers nothing. That the server works on is asked for, then, on a connection
 * beside the pool's; one that cannot be had, or knows of no such backend, ends the waiting.
 */
export async function serverHasEnded(
  { client, answer, mayCancel }: GivenUp,
  connectOutside: (() => Promise<OutsideClient>) | undefined,
): Promise<void> {
  for (;;) {
    // Again each time: one that comes before the statement does is lost.
    if (mayCancel) sendCancelRequest(client)
    if (await settlesWithin(FIRST_LOOK_MS, answer)) return
    if (mayCancel) sendCancelRequest(client)
    if (mayCancel && (await settlesWithin(FIRST_LOOK_MS, answer))) return
    if (!(await isWorking(client, connectOutside))) return
    if (await settlesWithin(NEXT_LOOK_MS, answer)) return
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
    // Full of connections, it is there, and must not be asked for more of them.
    return sqlState(error) === TOO_MANY_CONNECTIONS
  } finally {
    connecting.then(end).catch(() => {})
  }
}

function settlesWithin(ms: number, answer: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms)
    // A process that has nothing else to do shall end.
    timer.unref()
    const settled = (): void => {
      clearTimeout(timer)
      resolve(true)
    }
    answer.then(settled, settled)
  })
}

/** One that waits for its client has not got the statement, and never will. */
const ACTIVITY = `select from pg_stat_activity where pid = $1 and state = 'active'`
const TOO_MANY_CONNECTIONS = '53300'
const FIRST_LOOK_MS = 500
const NEXT_LOOK_MS = 5_000
const ASK_TIMEOUT_MS = 1_000
