import { OncekeyError } from '@oncekey/core'
import { inAutocommit } from '../sql/pg/foreign-transaction.ts'
import type { PgSession } from '../sql/pg/pg-session.ts'
import type { PgWire } from '../sql/pg/pg-wire.ts'
import type { SqlTransaction, Statement } from '../sql/sql-client.ts'
import { answered, releaseOrDestroy, undo } from './answered.ts'
import { transactionHandle } from './handle/transaction-handle.ts'

/** A transaction of one request on a session of `pg`, until it is committed or rolled back. */
export function pgTransaction<Client>(session: PgSession, wire: PgWire): SqlTransaction<Client> {
  const { client } = session
  const guard = transactionHandle(client, { statements: { query: textOf }, refused: REFUSED })
  let isOver = false

  /**
   * The session goes back to its pool with the end. What a second end sent would be a statement in
   * the next user's transaction.
   */
  function endOnce(): void {
    if (isOver) throw new OncekeyError('transaction-over', 'The transaction was ended before.')
    isOver = true
    guard.revoke()
  }

  return {
    handle: guard.handle as Client,
    mayHaveEnded: guard.mayHaveEnded,
    revoke: guard.revoke,

    async query<Row>(statement: Statement<Row>) {
      const { rows } = await wire.one(client, statement)
      return rows as Row[]
    },

    async commit<Row>(last: Statement<Row>, { timeoutMs }: { timeoutMs: number }) {
      endOnce()
      try {
        const work = afterHandler(() => wire.two(client, last, COMMIT))
        const [{ rows }, { command }] = await answered(session, work, {
          timeoutMs,
          mayCancel: false,
        })
        if (command !== 'COMMIT') throw notCommitted()
        session.release()
        return rows as Row[]
      } catch (error) {
        await undo(session, error)
        throw error
      }
    },

    async rollback<Row>({ timeoutMs, next }: { timeoutMs: number; next?: Statement<Row> }) {
      endOnce()
      try {
        const work = afterHandler(() =>
          next === undefined ? rolledBack() : wire.two(client, ROLLBACK, next),
        )
        // This statement is never cancelled: the handler may have sent its own COMMIT before it,
        // and `next` commits.
        const asked = answered(session, work, { timeoutMs, mayCancel: false })
        const [, { rows }] = await inAutocommit(client, asked)
        session.release()
        return rows as Row[]
      } catch (error) {
        releaseOrDestroy(session, error)
        throw error
      }
    },

    destroy(reason) {
      guard.revoke()
      session.destroy(reason)
    },
  }

  /**
   * Ends the transaction after queries that the handler did not await. A pipelining client keeps
   * their order; on others this waits for them.
   */
  function afterHandler<T>(end: () => Promise<T>): Promise<T> {
    const pending = client.pipeline === true ? undefined : guard.pendingQueries()
    const close = (): Promise<T> => {
      guard.closeStreams()
      return end()
    }
    return pending === undefined ? close() : pending.then(close)
  }

  async function rolledBack(): Promise<[unknown, { rows: unknown[] }]> {
    return [await wire.one(client, ROLLBACK), { rows: [] }]
  }
}

function textOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return argument
  return (argument as { text?: string } | undefined)?.text
}

function notCommitted(): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'COMMIT was answered by a rollback: a statement of the transaction had failed before.',
  )
}

const COMMIT: Statement = { name: 'commit', text: 'COMMIT', values: [], hasNoRows: true }
export const ROLLBACK: Statement = {
  name: 'rollback',
  text: 'ROLLBACK',
  values: [],
  hasNoRows: true,
}
const REFUSED = ['release', 'end', 'connect']
