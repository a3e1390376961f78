import type { Claim, Completion, Decision } from '@oncekey/core'
import { markAtEnd, type StartedJson } from '../../commit/attempt-mark.ts'
import { ATTEMPT_ENDED, transactionEnded } from '../../commit/completion-error.ts'
import { lastStatement } from '../../commit/last-statement.ts'
import type { ClaimKey } from '../../sql/claim-key.ts'
import type { Permit } from '../../sql/concurrency-limit.ts'
import { askReadCommitted } from '../../sql/read-committed.ts'
import { isReadOnlyServer, isSetInSession } from '../../sql/session-fitness.ts'
import type { SqlTransaction, Statement } from '../../sql/sql-client.ts'
import { sqlState } from '../../sql/sql-state.ts'
import { storeError } from '../../sql/store-error.ts'
import { SERIALIZATION_FAILURE } from '../../sql/when-serialized.ts'
import { attemptEnd, type Outcome, transactionOver } from '../attempt/attempt-end.ts'
import { completionFailed } from '../attempt/completion-failed.ts'
import { endedByHandler } from '../attempt/ended-by-handler.ts'
import type { StoreState } from '../attempt/store-state.ts'
import { undo } from '../attempt/undo.ts'

/** The transaction of a claim that has won its key. */
export interface WonKey extends StartedJson {
  /** The number of this attempt. */
  readonly number: number
  /** The name of the lease-mode attempt that this attempt took over; null if there was none. */
  readonly replaced: string | null
}

/**
 * The attempt that a claim has won. Its transaction is open and holds the key's lock. The attempt
 * is added to the running keys here, and removed when it has ended.
 */
export function keyedAttempt<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  permit: Permit,
  transaction: SqlTransaction<Tx>,
  started: WonKey,
): Decision<Tx> {
  const end = attemptEnd(() => {
    permit()
    forget()
  })

  const decision: Decision<Tx> = {
    kind: 'run',
    attempt: {
      number: started.number,
      async transaction() {
        if (end.isOver()) throw transactionOver()
        return transaction.handle
      },
      complete: (completion) =>
        end.complete(() => (completion.writes === 'keep' ? keep(completion) : refuse(completion))),
      release: () => end.undo(undone),
      abandon: () => end.undo(undone),
      // Nothing to renew: the lock lasts as long as the transaction.
      async renew() {
        return end.isOver() ? 'stale' : 'held'
      },
    },
  }

  const forget = store.running.add(key.id, {
    token: claim.token,
    fingerprint: claim.fingerprints[0],
    decision,
  })
  return decision

  async function keep(completion: Completion): Promise<Outcome> {
    // Without an `await` in front of the commit, which closes the handle at once.
    let last: Statement
    try {
      const mark = markAtEnd(store.client, claim.token, transaction)
      const began = { mark, started: started.started }
      last = lastStatement(() => store.statements.complete(claim, completion, began))
    } catch (error) {
      await undone()
      throw error
    }
    try {
      await transaction.commit(last, { timeoutMs: store.commitTimeoutMs })
      return 'stored'
    } catch (error) {
      if (sqlState(error) === ATTEMPT_ENDED) await spend()
      return completionFailed(store, error, started)
    }
  }

  async function undone(): Promise<void> {
    if (await isEnded()) return await spent()
    await undo(store, transaction, started)
  }

  /** To be asked once: only the first call has the session to ask. */
  function isEnded(): Promise<boolean> {
    return endedByHandler(store, transaction, started, claim.token)
  }

  async function spent(): Promise<never> {
    await undo(store, transaction, started)
    await spend()
    throw transactionEnded()
  }

  /** The handler has sent its own COMMIT, which cannot be undone, so the key must not run again. */
  async function spend(): Promise<void> {
    const options = { timeoutMs: store.commitTimeoutMs }
    const statement = store.statements.spendKey(claim)
    await store.client.query(statement, options).catch((error) => {
      store.lateEnds.insist(key.id, statement)
      throw storeError(error, store.schema)
    })
  }

  async function refuse({ response }: Completion): Promise<Outcome> {
    const next = store.statements.refuse(claim, key.lock, response, started.replaced)
    const options = { timeoutMs: store.commitTimeoutMs }
    if (await isEnded()) await spent()
    try {
      const [row] = await transaction.rollback({ next, ...options }).catch((error) => {
        // The rollback succeeded. The refusal failed because of the session's isolation level, or
        // because of what an earlier user left in the session: the claim had set that right in its
        // transaction only.
        if (sqlState(error) === SERIALIZATION_FAILURE)
          return askReadCommitted(store.client, next, options)
        if (isReadOnlyServer(error) || isSetInSession(error))
          return store.client.query(next, options)
        throw error
      })
      return row?.outcome ?? 'superseded'
    } catch (error) {
      return completionFailed(store, error, started)
    }
  }
}
