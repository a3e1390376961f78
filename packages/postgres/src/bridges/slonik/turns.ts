import { type Connection, STATEMENTS } from './connection.ts'

/** One statement of a transaction at a time, ours among those of the handler. */
export interface Turns {
  /**
   * The connection of the innermost savepoint that is open. Slonik refuses what is sent through the
   * transaction around it.
   */
  innermost: Connection | undefined
  /** Calls `work` when everything that came before has been answered. */
  take<T>(work: () => Promise<T>): Promise<T>
}

const turns = new WeakMap<object, Turns>()

/** The turns of a transaction of Slonik's. */
export function turnsOf(transaction: object): Turns {
  const known = turns.get(transaction)
  if (known !== undefined) return known
  let last: Promise<unknown> = Promise.resolve()
  const made: Turns = {
    innermost: undefined,
    take(work) {
      const mine = last.then(work)
      last = mine.catch(() => {})
      return mine
    },
  }
  turns.set(transaction, made)
  return made
}

/**
 * Slonik's transaction, with statements that wait here for their turn. Slonik has a queue of its
 * own, which COMMIT, ROLLBACK and the statements of a savepoint overtake: what it still held would
 * be sent after them, outside of the transaction. `sending` is called before each statement, and
 * throws if the transaction is over or about to end; `call` makes the call.
 */
export function withTurns(
  transaction: Connection,
  sending: () => void,
  call: <T>(statement: () => Promise<T>) => Promise<T>,
): Connection {
  const turns = turnsOf(transaction)
  const { take } = turns
  return wrapped(transaction)

  function wrapped(connection: Connection): Connection {
    const own: Record<string, unknown> = { ...connection }
    for (const name of STATEMENTS) {
      const method = own[name] as Method
      own[name] = (...args: unknown[]) =>
        take(async () => {
          sending()
          return await call(() => method(...args))
        })
    }
    return Object.assign(own as unknown as Connection, {
      // Without a limit Slonik would call `handler` again after a serialization failure, which only
      // a new transaction can help.
      async transaction(handler: Handler, transactionRetryLimit = 0): Promise<unknown> {
        // SAVEPOINT, ROLLBACK TO, and what comes after the savepoint wait for statements as well.
        const idle = (): Promise<void> => take(async () => {})
        // What was open when Slonik opened this one. It may refuse it, and another may end before.
        let outer: { readonly connection: Connection | undefined } | undefined
        const nested = async (inner: Connection): Promise<unknown> => {
          outer ??= { connection: turns.innermost }
          turns.innermost = inner
          try {
            return await handler(wrapped(inner))
          } finally {
            await idle()
          }
        }
        await take(async () => sending())
        try {
          return await connection.transaction(nested, transactionRetryLimit)
        } finally {
          if (outer !== undefined) turns.innermost = outer.connection
        }
      },
    })
  }
}

type Method = (...args: unknown[]) => Promise<unknown>
type Handler = (connection: Connection) => Promise<unknown>
