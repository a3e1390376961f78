/**
 * Transactions nested in a handler's transaction (savepoints), which the driver runs by calling a
 * function.
 */
export interface NestedTransactions {
  /** Calls the driver, wrapping the callback that the handler passed. */
  run(
    call: (wrap: <T>(callback: (inner: T) => unknown) => (inner: T) => unknown) => unknown,
  ): unknown
  /** Rejects all open nested transactions with this error. */
  lost(error: Error): void
  /**
   * Resolves when the driver has no statement of its own under way, by which it opens or ends a
   * nested transaction; undefined if it has none. Once the transaction is over it sends no more.
   */
  quiet(): Promise<void> | undefined
}

/** A nested transaction whose call has not settled. */
interface Open {
  /** Whether the driver sends a statement of its own for it, or is about to. */
  isSending: boolean
  readonly reject: (error: Error) => void
}

/**
 * For a driver that sends statements of its own around the callback of a savepoint, past the guard:
 * SAVEPOINT before it, and ROLLBACK TO when it fails. After the end of the transaction these would
 * undo the record, or reach the transaction of another request, or be written to a lost connection.
 * So once `over` returns an error, the driver is not told how a callback ended, and a callback that
 * was not called yet is not called. The driver's own promise then never settles, which costs
 * nothing: no statement waits for it.
 */
export function nestedTransactions(
  /** Why the transaction is over; undefined while it is not. */
  over: () => Error | undefined,
  /** Receives the error of a statement that the driver itself sent. */
  failed: (error: unknown) => void,
): NestedTransactions {
  const open = new Set<Open>()
  const waiting: (() => void)[] = []

  return {
    run(call) {
      return new Promise((resolve, reject) => {
        const nested: Open = { isSending: true, reject }
        open.add(nested)
        let thrown: unknown
        const end = (settle: () => void): void => {
          open.delete(nested)
          tellIfQuiet()
          settle()
        }
        /** Lets the driver end the nested transaction, unless all is over. */
        const tell = (how: () => void, late: (error: Error) => void): void => {
          const error = over()
          if (error !== undefined) {
            end(() => late(error))
            return
          }
          nested.isSending = true
          how()
        }
        const wrap =
          <T>(callback: (inner: T) => unknown) =>
          (inner: T): Promise<unknown> =>
            new Promise((done, undone) => {
              const error = over()
              if (error !== undefined) return end(() => reject(error))
              nested.isSending = false
              tellIfQuiet()
              promised(() => callback(inner)).then(
                // What it wrote ends as the transaction does, because COMMIT releases a savepoint.
                (value) =>
                  tell(
                    () => done(value),
                    () => resolve(value),
                  ),
                (error) => {
                  thrown = error
                  // It was not undone by itself, so its own error would say too little.
                  tell(
                    () => undone(error),
                    (late) => reject(Object.assign(late, { cause: late.cause ?? error })),
                  )
                },
              )
            })
        // Within a promise, because the driver may throw at once.
        new Promise((settle) => settle(call(wrap))).then(
          (value) => end(() => resolve(value)),
          (error) => {
            // An error that the callback threw may come from another connection.
            if (error !== thrown) failed(error)
            end(() => reject(error))
          },
        )
      })
    },
    lost(error) {
      const all = [...open]
      open.clear()
      tellIfQuiet()
      for (const { reject } of all) reject(error)
    },
    quiet() {
      if (isQuiet()) return undefined
      return new Promise((resolve) => waiting.push(resolve))
    },
  }

  function isQuiet(): boolean {
    return ![...open].some(({ isSending }) => isSending)
  }

  function tellIfQuiet(): void {
    if (isQuiet()) for (const resolve of waiting.splice(0)) resolve()
  }
}

/**
 * The callback's result, or, if it returned a list of statements, their results. What it returned
 * decides: the result of a statement may be a list, too, with members of its own.
 */
async function promised(callback: () => unknown): Promise<unknown> {
  const result = callback()
  return Array.isArray(result) ? await Promise.all(result) : await result
}
