import { isNeverSent } from './never-sent.ts'
import { isSessionFit } from './session-fitness.ts'
import type { ReservedClient, SqlClient, Statement } from './sql-client.ts'

/**
 * A connection that is kept out of the pool for as long as it may be needed. Without it, handlers
 * that hold every connection and wait for another one would block the renewals of their own leases,
 * and the leases would end.
 */
export interface ReservedConnection {
  /** Borrows the connection ahead of time, so that it is there when it is needed. */
  keep(): void
  query<Row>(statement: Statement<Row>): Promise<Row[]>
  /** Returns the connection to the pool. */
  release(): void
}

export function reservedConnection(
  client: Pick<SqlClient, 'query' | 'reserve'>,
  timeoutMs: number,
): ReservedConnection {
  let current: Promise<ReservedClient> | undefined

  function connection(): Promise<ReservedClient> | undefined {
    if (current !== undefined || client.reserve === undefined) return current
    const made = client.reserve({ timeoutMs })
    current = made
    made.catch(() => drop(made))
    return made
  }

  function drop(made: Promise<ReservedClient>): void {
    if (current === made) current = undefined
  }

  async function ask<Row>(statement: Statement<Row>): Promise<Row[]> {
    const asked = connection()
    if (asked === undefined) return await client.query(statement, { timeoutMs })
    const reserved = await asked
    try {
      return await reserved.query(statement, { timeoutMs })
    } catch (error) {
      if (!isSessionFit(error)) drop(asked)
      throw error
    }
  }

  return {
    keep: () => void connection(),
    async query(statement) {
      const before = current
      try {
        return await ask(statement)
      } catch (error) {
        // The connection may have been lost while it was idle: a fresh one gets one more try.
        if (before === undefined || current !== undefined) throw error
        return await ask(statement).catch((second) => {
          // If the second try was never sent, the caller gets the error of the first, whose outcome
          // is unknown.
          throw isNeverSent(second) ? error : second
        })
      }
    },
    release() {
      const made = current
      current = undefined
      made?.then(
        (reserved) => reserved.release(),
        () => {},
      )
    },
  }
}
