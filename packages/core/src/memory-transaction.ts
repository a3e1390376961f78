import { OncekeyError } from './errors.ts'

/**
 * A stand-in for a database transaction: nobody else sees what it sets before the response is
 * stored. Of attempts that run at once and set the same name, the last to complete wins.
 * From the moment the attempt ends every method throws `transaction-over`.
 */
export interface MemoryTransaction {
  /** The value as this transaction sees it: its own writes, then what is committed. */
  get(name: string): unknown
  set(name: string, value: unknown): void
  delete(name: string): void
}

/** A transaction in the hands of the store: what was set in it waits here until it is committed. */
export interface StagedTransaction {
  readonly transaction: MemoryTransaction
  commitTo(data: Map<string, unknown>): void
}

/** Opens a transaction over what is committed; usable for as long as `isOpen` says so. */
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

/** The error of whoever uses a transaction too late. */
export function transactionOver(): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'The transaction is over: its attempt has ended. Await every use of it before the response ends.',
  )
}
