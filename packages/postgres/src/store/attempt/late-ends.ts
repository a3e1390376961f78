import {
  createInsistence,
  ENDS_SENT_FOR_MS,
  endsWithin,
  LATE_ENDS,
  NOT_ENDED,
  type Tries,
  warnOfFailure,
} from '@oncekey/core'
import { completionError, OWNED_BY_ANOTHER } from '../../commit/completion-error.ts'
import { isPoolEnded } from '../../sql/never-sent.ts'
import { isReadOnlyServer, isSetInSession } from '../../sql/session-fitness.ts'
import type { SqlClient, Statement } from '../../sql/sql-client.ts'
import { sqlState } from '../../sql/sql-state.ts'
import { whenSerialized } from '../../sql/when-serialized.ts'

/**
 * Sends the statement that ends an attempt again until it is answered, because the server was away
 * when the attempt ended. It is for statements that change nothing when they come twice, or after
 * the attempt has lost its key. Nobody waits for it.
 *
 * Without it, a response that was ready is lost in lease mode, and the retry runs the handler
 * again; and a key that was released stays taken until its lease ends.
 */
export interface LateEnds {
  /**
   * Sends this statement, which ends an attempt of the key with this id. If another attempt has the
   * key, it is sent once more if `takenAgain` resolves to `true`.
   */
  insist(id: string, statement: Statement, takenAgain?: () => Promise<boolean>): void
  /**
   * If an end of the key is still to be sent, sends it now and waits for the answer; otherwise
   * `undefined`, which costs a claim nothing. A claim that came before the end would find the lease
   * over and run the handler again. It waits for one try that hangs already, and for its own.
   * `false` if that was not over in time, or before the signal aborted.
   */
  tried(id: string, signal: AbortSignal): Promise<boolean> | undefined
  /** Waits until every end is answered; resolves to how many are not after `withinMs`. */
  settled(withinMs: number): Promise<number>
}

export function lateEnds({
  acquireTimeoutMs: timeoutMs,
  client,
}: {
  readonly acquireTimeoutMs: number
  readonly client: Pick<SqlClient, 'query'>
}): LateEnds {
  const insist = createInsistence<LateEnd>({
    attempt: endAll,
    isHopeless: isPoolEnded,
    ...LATE_ENDS,
    gaveUp: () => warnOfFailure('postgres-end', NOT_ENDED),
  })

  /** One after the other, on whatever connection is free. Stops at the first without answer. */
  async function endAll(ends: ReadonlyMap<string, LateEnd>): Promise<Tries> {
    const ids = [...ends.keys()]
    const done: string[] = []
    for (const [index, [id, each]] of [...ends].entries()) {
      try {
        await endOne(each)
      } catch (error) {
        if (isPoolEnded(error)) throw error
        if (isTemporary(error)) return { done, untried: ids.slice(index + 1) }
      }
      done.push(id)
    }
    return { done }
  }

  async function endOne({ statement, takenAgain }: LateEnd): Promise<void> {
    const send = () => whenSerialized(() => client.query(statement, { timeoutMs }))
    try {
      await send()
    } catch (error) {
      const isTaken = sqlState(error) === OWNED_BY_ANOTHER
      if (!isTaken || takenAgain === undefined || !(await takenAgain())) throw error
      await send()
    }
  }

  return {
    insist(id, statement, takenAgain) {
      void insist(id, { statement, takenAgain }, ENDS_SENT_FOR_MS)
    },
    tried(id, signal) {
      const trying = insist.tried(id)
      return trying && endsWithin(trying, 2 * timeoutMs, { signal })
    },
    settled: insist.settled,
  }
}

interface LateEnd {
  readonly statement: Statement
  readonly takenAgain: (() => Promise<boolean>) | undefined
}

/** Not if another attempt has the key by now, or the server will never take the statement. */
function isTemporary(error: unknown): boolean {
  if (sqlState(error) === OWNED_BY_ANOTHER) return false
  // A standby, which the address may lead to for a moment during a failover, or a session in which
  // somebody left a role or an encoding: the next one may be another.
  if (isReadOnlyServer(error) || isSetInSession(error)) return true
  return completionError(error).code === 'commit-failed'
}
