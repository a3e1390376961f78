import type { StartedJson } from '../../commit/attempt-mark.ts'
import { beginWithReply } from '../../commit/begin-with-reply.ts'
import type { Permit } from '../../sql/concurrency-limit.ts'
import type { SqlTransaction, Statement } from '../../sql/sql-client.ts'
import { storeError } from '../../sql/store-error.ts'
import { busy } from './busy.ts'
import type { StoreState } from './store-state.ts'

/** A transaction that opens on first use. Until then the attempt has no connection. */
export interface LateTransaction<Tx> {
  /**
   * Opens the transaction, or waits until it is open. After a failure the next call tries again.
   */
  open(): Promise<Opened<Tx>>
  /**
   * The open transaction, if there is one: an attempt that ends must revoke it at once, without
   * waiting.
   */
  readonly opened: Opened<Tx> | undefined
  /**
   * For an attempt that ends while its transaction is being opened: waits until it is open or
   * failed.
   */
  stillOpening(): Promise<Opened<Tx> | undefined>
  /** Returns the transaction's permit. */
  over(): void
}

export interface Opened<Tx> {
  readonly transaction: SqlTransaction<Tx>
  readonly started: StartedJson
}

/**
 * `first` makes the first statement, which starts the attempt and returns where its transaction
 * runs.
 */
export function lateTransaction<Tx>(
  store: StoreState<Tx>,
  first: () => Statement<{ reply: string }>,
): LateTransaction<Tx> {
  const { acquireTimeoutMs, attempts, client, isolation, maxConcurrent, schema } = store
  let opening: Promise<Opened<Tx>> | undefined
  let opened: Opened<Tx> | undefined
  let permit: Permit | undefined

  async function open(): Promise<Opened<Tx>> {
    permit = await attempts.take({ timeoutMs: acquireTimeoutMs })
    if (permit === undefined) throw busy(maxConcurrent, acquireTimeoutMs)
    try {
      const options = { isolation, first: first(), timeoutMs: acquireTimeoutMs }
      const begun = await beginWithReply<StartedJson, Tx>(client, options)
      return { transaction: begun.transaction, started: begun.reply }
    } catch (error) {
      permit()
      throw storeError(error, schema)
    }
  }

  return {
    async open() {
      opening ??= open()
      try {
        opened = await opening
        return opened
      } catch (error) {
        opening = undefined
        throw error
      }
    },
    get opened() {
      return opened
    },
    stillOpening: async () => await opening?.catch(() => undefined),
    over: () => permit?.(),
  }
}
