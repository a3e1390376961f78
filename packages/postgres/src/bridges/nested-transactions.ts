/** Transactions inside of a handler's, each of which the driver has a callback for: savepoints. */
export interface NestedTransactions {
  /** Calls the driver, with a wrapper for the callback that the handler has given it. */
  run(
    call: (wrap: <T>(callback: (inner: T) => unknown) => (inner: T) => unknown) => unknown,
  ): unknown
  /** All that are open are over, with this error. */
  lost(error: Error): void
}

/**
 * For a driver that must write nothing to a connection which is gone, as it would end the process. It
 * ends a savepoint with a statement of its own when the callback fails; so it is not told of that any
 * more once `isGone`, and the handler hears of the loss instead.
 */
export function nestedTransactions(
  isGone: () => boolean,
  /** Is told what a statement of the driver's own has failed with. */
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
            // An error of the callback's may be of any other connection.
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

/** What a callback returns, or the statements that it returns a list of. */
async function promised(callback: () => unknown): Promise<unknown> {
  const result = await callback()
  return Array.isArray(result) ? await Promise.all(result) : result
}
