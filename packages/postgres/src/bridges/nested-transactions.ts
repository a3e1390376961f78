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
}

/**
 * For a driver that writes to a lost connection, and would end the process by that. When the
 * callback of a savepoint fails, the driver sends its own statement to end the savepoint. So once
 * `isGone` is true, the driver is not told of the callback's failure, and the handler gets the
 * error of the loss instead.
 */
export function nestedTransactions(
  isGone: () => boolean,
  /** Receives the error of a statement that the driver itself sent. */
  failed: (error: unknown) => void,
): NestedTransactions {
  const open = new Set<(error: Error) => void>()

  return {
    run(call) {
      return new Promise((resolve, reject) => {
        let thrown: unknown
        open.add(reject)
        const over = (): void => void open.delete(reject)
        const result = call(
          (callback) => (inner) =>
            new Promise((done, undone) => {
              const tell = (how: () => void): void => (isGone() ? undefined : how())
              promised(() => callback(inner)).then(
                (value) => tell(() => done(value)),
                (error) => {
                  thrown = error
                  tell(() => undone(error))
                },
              )
            }),
        )
        Promise.resolve(result).then(
          (value) => {
            over()
            resolve(value)
          },
          (error) => {
            over()
            // An error that the callback threw may come from another connection.
            if (error !== thrown) failed(error)
            reject(error)
          },
        )
      })
    },
    lost(error) {
      for (const end of open) end(error)
      open.clear()
    },
  }
}

/** The callback's result, or, if it returned a list of statements, their results. */
async function promised(callback: () => unknown): Promise<unknown> {
  const result = await callback()
  return Array.isArray(result) ? await Promise.all(result) : result
}
