import { OncekeyError } from '../errors/errors.ts'

/**
 * A transaction without a database: nobody else sees what it sets before the response is stored. If
 * concurrent attempts set the same name, the last to complete wins. From the moment the attempt
 * ends, every method throws `transaction-over`.
 */
export interface MemoryTransaction {
  /** The value as this transaction sees it: its own writes, then what is committed. */
  get(name: string): unknown
  set(name: string, value: unknown): void
  delete(name: string): void
}

/** The store's side of a transaction, which holds what was set until it is committed. */
export interface StagedTransaction {
  readonly transaction: MemoryTransaction
  commitTo(data: Map<string, unknown>): void
}

/** Opens a transaction over the committed values. It is usable while `isOpen` returns true. */
export function stagedTransaction(
  committed: ReadonlyMap<string, unknown>,
  isOpen: () => boolean,
): StagedTransaction {
  const written = new Map<string, { readonly value: unknown } | 'deleted'>()
  const check = (): void => {
    if (!isOpen()) throw transactionOver()
  }

  return {
    transaction: {
      get(name) {
        check()
        const own = written.get(name)
        if (own === undefined) return committed.get(name)
        return own === 'deleted' ? undefined : own.value
      },
      set(name, value) {
        check()
        written.set(name, { value })
      },
      delete(name) {
        check()
        written.set(name, 'deleted')
      },
    },
    commitTo(data) {
      for (const [name, own] of written) {
        if (own === 'deleted') data.delete(name)
        else data.set(name, own.value)
      }
    },
  }
}

/** The error for a transaction that is used too late. */
export function transactionOver(): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'The transaction is over: its attempt has ended. Await every use of it before the response ends.',
  )
}
