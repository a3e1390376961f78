import type { SqlTransaction, Statement } from '../sql-client.ts'
import { storeError } from '../store-error.ts'
import { busy } from './busy.ts'
import type { Place } from './places.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'

/** A transaction that is opened when it is first asked for: until then an attempt has no connection. */
export interface LateTransaction<Tx> {
  /** Opens it, or waits for it to be open. Who asks again after a failure gets another try. */
  open(): Promise<Opened<Tx>>
  /** Once it is open. From the moment an attempt ends it is over, so this must be had at once. */
  readonly opened: Opened<Tx> | undefined
  /** An attempt may also end while its transaction is still being opened. */
  stillOpening(): Promise<Opened<Tx> | undefined>
  /** Gives its place back. */
  over(): void
}

export interface Opened<Tx> {
  readonly transaction: SqlTransaction<Tx>
  readonly started: StartedJson
}

/** `first` starts it, and answers where it runs. */
export function lateTransaction<Tx>(
  store: StoreState<Tx>,
  first: () => Statement<{ answer: string }>,
): LateTransaction<Tx> {
  const { acquireTimeoutMs, attempts, client, isolation, maxConcurrent, schema } = store
  let opening: Promise<Opened<Tx>> | undefined
  let opened: Opened<Tx> | undefined
  let place: Place | undefined

  async function open(): Promise<Opened<Tx>> {
    place = await attempts.take({ timeoutMs: acquireTimeoutMs })
    if (place === undefined) throw busy(maxConcurrent, acquireTimeoutMs)
    try {
      const timeoutMs = acquireTimeoutMs
      const { rows, transaction } = await client.begin({ isolation, first: first(), timeoutMs })
      return { transaction, started: JSON.parse(rows[0]?.answer ?? '') }
    } catch (error) {
      place()
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
    over: () => place?.(),
  }
}
