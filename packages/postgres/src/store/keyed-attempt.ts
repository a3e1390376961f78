import type { Claim, Completion, Decision } from '@oncekey/core'
import type { SqlTransaction } from '../sql-client.ts'
import { sqlState } from '../sql-state.ts'
import { attemptEnd, type Outcome, transactionOver } from './attempt-end.ts'
import type { ClaimKey } from './claim-key.ts'
import { ATTEMPT_ENDED, completionFailed, transactionEnded } from './completion-failed.ts'
import { endedByHandler } from './ended-by-handler.ts'
import { SERIALIZATION_FAILURE } from './lease/when-serialized.ts'
import type { Place } from './places.ts'
import { askReadCommitted } from './read-committed.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'
import { undo } from './undo.ts'

/** Where the transaction of a claim runs that has won its key. */
export interface WonKey extends StartedJson {
  /** Of this attempt. */
  readonly number: number
  /** Of the attempt of lease mode that it has taken over; 0 where there was none. */
  readonly replaced: number
}

/**
 * The attempt that a claim has won: its transaction is open, and holds the key's lock. Entered into
 * the table of running keys here, and taken out when it has ended.
 */
export function keyedAttempt<Tx>(
  store: StoreState<Tx>,
  claim: Claim,
  key: ClaimKey,
  place: Place,
  transaction: SqlTransaction<Tx>,
  started: WonKey,
): Decision<Tx> {
  const end = attemptEnd(() => {
    place()
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
      // The lock lasts as long as the transaction.
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
    try {
      const last = store.statements.complete(claim, completion)
      await transaction.commit(last, { timeoutMs: store.commitTimeoutMs })
      return 'stored'
    } catch (error) {
      if (sqlState(error) === ATTEMPT_ENDED) await spend()
      return completionFailed(store, error, started)
    }
  }

  async function undone(): Promise<void> {
    const isOver = await endedByHandler(store, transaction, started)
    await undo(store, transaction, started)
    if (!isOver) return
    await spend()
    throw transactionEnded()
  }

  /** What the handler committed by itself cannot be undone, and shall not be done again. */
  async function spend(): Promise<void> {
    const options = { timeoutMs: store.commitTimeoutMs }
    await store.client.query(store.statements.spendKey(claim), options)
  }

  async function refuse({ response }: Completion): Promise<Outcome> {
    const next = store.statements.refuse(claim, key.lock, response, started.replaced)
    const options = { timeoutMs: store.commitTimeoutMs }
    if (await endedByHandler(store, transaction, started)) await undone()
    try {
      const [row] = await transaction.rollback({ next, ...options }).catch((error) => {
        // Undone, and in autocommit at a level that the session was set to.
        if (sqlState(error) !== SERIALIZATION_FAILURE) throw error
        return askReadCommitted(store.client, next, options)
      })
      return row?.outcome ?? 'superseded'
    } catch (error) {
      return completionFailed(store, error, started)
    }
  }
}
