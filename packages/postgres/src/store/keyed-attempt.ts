import type { Claim, Completion, Decision } from '@oncekey/core'
import type { SqlTransaction } from '../sql-client.ts'
import { attemptEnd, type Outcome, transactionOver } from './attempt-end.ts'
import type { ClaimKey } from './claim-key.ts'
import { completionFailed } from './completion-failed.ts'
import type { Place } from './places.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'
import { undo } from './undo.ts'

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
  started: StartedJson & { readonly number: number },
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
      release: () => end.undo(() => undo(store, transaction, started)),
      abandon: () => end.undo(() => undo(store, transaction, started)),
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
      return completionFailed(store, error, started)
    }
  }

  async function refuse({ response }: Completion): Promise<Outcome> {
    try {
      const next = store.statements.refuse(claim, key.lock, response)
      const [row] = await transaction.rollback({ next, timeoutMs: store.commitTimeoutMs })
      return row?.outcome ?? 'superseded'
    } catch (error) {
      return completionFailed(store, error, started)
    }
  }
}
