import {
  type Claim,
  type Completion,
  completionForLater,
  type Decision,
  OncekeyError,
} from '@oncekey/core'
import {
  commitFailed,
  completionError,
  leaseGoesOn,
  notStoredYet,
  OWNED_BY_ANOTHER,
  transactionEnded,
} from '../../commit/completion-error.ts'
import { lastStatement } from '../../commit/last-statement.ts'
import { lateBackstopOf } from '../../sql/backstop.ts'
import type { ClaimKey } from '../../sql/claim-key.ts'
import { isNeverSent } from '../../sql/never-sent.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { isOutcomeKnown, sqlState } from '../../sql/sql-state.ts'
import { storeError } from '../../sql/store-error.ts'
import { whenSerialized } from '../../sql/when-serialized.ts'
import { attemptEnd, type Outcome, transactionOver } from '../attempt/attempt-end.ts'
import { endedByHandler } from '../attempt/ended-by-handler.ts'
import { lateTransaction, type Opened } from '../attempt/late-transaction.ts'
import { terminate, UNDO_TIMEOUT_MS, undo } from '../attempt/undo.ts'
import type { LeaseState } from './lease-state.ts'
import { takeAgain } from './take-again.ts'

/**
 * The attempt of a claim that has won and is committed. It has no connection until the handler asks
 * for its transaction, which begins by locking the attempt's row. An attempt that has lost its
 * lease gets no transaction; one that gets it keeps the key until the transaction is over.
 */
export function leasedAttempt<Tx>(
  store: LeaseState<Tx>,
  claim: Claim,
  key: ClaimKey,
  { number, askedAt }: { readonly number: number; readonly askedAt: number },
): Decision<Tx> {
  const { acquireTimeoutMs, client, commitTimeoutMs, schema, statements } = store
  const late = lateTransaction(store, () =>
    statements.openAttempt(claim, key.lock, lateBackstopOf(client, claim)),
  )
  const ended = store.renewals.attend(claim.token, claim.leaseMs)
  let isAnswered = true
  const end = attemptEnd(() => {
    late.over()
    ended(isAnswered)
    store.own.delete(claim.token)
    store.endings.ended(key.id, number)
  })

  const decision: Decision<Tx> = {
    kind: 'run',
    attempt: {
      number,
      askedAt,
      async transaction() {
        if (end.isOver()) throw transactionOver()
        const { transaction } = await late.open().catch(againIfLost)
        if (end.isOver()) throw transactionOver()
        return transaction.handle
      },
      complete: (completion) =>
        end.complete(() => (completion.writes === 'keep' ? keep(completion) : refuse(completion))),
      release: () => end.undo(() => undone(statements.releaseAttempt(claim))),
      abandon: () => end.undo(() => undone(statements.abandonAttempt(claim, number))),
      async renew(leaseMs) {
        if (end.isOver()) return 'stale'
        return renewed(leaseMs)
      },
    },
  }
  store.own.set(claim.token, decision)
  store.endings.begun(key.id, number)
  return decision

  async function renewed(leaseMs: number): Promise<'held' | 'stale'> {
    const { namespace, scope, key: name, token, fingerprints } = claim
    const [fingerprint] = fingerprints
    const renewal = await store.renewals.renew({
      namespace,
      scope,
      key: name,
      token,
      ms: Math.ceil(leaseMs),
      fingerprint,
      number,
      lock: key.lock,
      is_open: late.opened !== undefined,
    })
    if (renewal === 'held' || end.isOver()) return renewal
    return (await takenAgain()) ? 'held' : 'stale'
  }

  function takenAgain(): Promise<boolean> {
    return takeAgain(store, claim, key, number)
  }

  /**
   * Opens the transaction once more if the attempt's row was not there because the database has
   * lost it. Before that, a renewal restores the row and commits it: if the transaction restored
   * the row itself, other renewals would wait for its end.
   */
  async function againIfLost(error: unknown): Promise<Opened<Tx>> {
    if (!TAKEN_OVER.has(sqlState(error) ?? '')) throw error
    if ((await renewed(claim.leaseMs)) === 'stale') throw lost(error)
    if (end.isOver()) throw transactionOver()
    return await late.open()
  }

  async function keep(completion: Completion): Promise<Outcome> {
    const opened = late.opened ?? (await late.stillOpening())
    if (opened === undefined) return await completeAlone(completion)
    // Without an `await` in front of the commit, which closes the handle at once.
    let last: Statement<{ outcome: 'stored' }>
    try {
      const { started } = opened.started
      last = lastStatement(() => statements.completeAttempt(claim, completion, started))
    } catch (error) {
      return await unmakeable(error)
    }
    try {
      await opened.transaction.commit(last, { timeoutMs: commitTimeoutMs })
      return 'stored'
    } catch (error) {
      return await afterFailure(error, opened)
    }
  }

  /** Nobody will store the response, so the outcome is unknown at once. */
  async function unmakeable(error: unknown): Promise<never> {
    await undone(statements.abandonAttempt(claim, number))
    throw error
  }

  /**
   * COMMIT failed or its reply was lost. Asks the database for the outcome. If the attempt stored
   * nothing, this also frees the key before the lease is over.
   */
  async function afterFailure(error: unknown, { started }: Opened<Tx>): Promise<Outcome> {
    if (sqlState(error) === OWNED_BY_ANOTHER) return 'superseded'
    const failure = completionError(error)
    if (failure.code === 'transaction-ended') {
      await completeAlone(SPENT)
      throw failure
    }
    if (failure.code === 'commit-failed' && !isOutcomeKnown(error))
      terminate(store, started, { mayCommit: true })
    const abandon = statements.abandonAttempt(claim, number)
    const [row] = await alone(abandon).catch(() => {
      insist(abandon)
      return []
    })
    const truth = row?.outcome
    if (truth === 'stored' || truth === 'superseded') return truth
    throw failure
  }

  async function refuse({ response }: Completion): Promise<Outcome> {
    const completion: Completion = { response, events: [], writes: 'undo' }
    const opened = late.opened ?? (await late.stillOpening())
    if (opened === undefined) return await completeAlone(completion)
    await notEnded(opened)
    const next = statements.completeAttempt(claim, completion, null)
    try {
      await opened.transaction.rollback({ next, timeoutMs: commitTimeoutMs })
      return 'stored'
    } catch (error) {
      if (sqlState(error) === OWNED_BY_ANOTHER) return 'superseded'
      if (!isOutcomeKnown(error)) terminate(store, opened.started, { mayCommit: true })
      return await completeAlone(completion)
    }
  }

  async function completeAlone(completion: Completion): Promise<Outcome> {
    let statement: Statement<{ outcome: 'stored' }>
    try {
      statement = lastStatement(() => statements.completeAttempt(claim, completion, null))
    } catch (error) {
      return await unmakeable(error)
    }
    const sent = () => alone(statement, commitTimeoutMs)
    const work = () =>
      sent().catch(async (error) => {
        if (sqlState(error) !== OWNED_BY_ANOTHER || !(await takenAgain())) throw error
        return await sent()
      })
    try {
      await store.whileLeased(claim.leaseMs, renewed, work)
      return 'stored'
    } catch (error) {
      if (sqlState(error) === OWNED_BY_ANOTHER) return 'superseded'
      insist(statements.completeAttempt(claim, completionForLater(completion), null), takenAgain)
      if (isBusy(error)) throw notStoredYet(error)
      throw isNeverSent(error) ? leaseGoesOn(error) : commitFailed(error)
    }
  }

  async function undone(next: Statement): Promise<void> {
    const opened = late.opened ?? (await late.stillOpening())
    if (opened !== undefined) {
      await notEnded(opened)
      try {
        await opened.transaction.rollback({ next, timeoutMs: UNDO_TIMEOUT_MS })
        return
      } catch {
        // A statement that may still be running there holds the attempt's row.
        terminate(store, opened.started, { mayCommit: true })
      }
    }
    try {
      await alone(next)
    } catch (error) {
      insist(next)
      throw storeError(error, schema)
    }
  }

  /** The end is sent until it is answered; until then the lease says whose key it is. */
  function insist(statement: Statement, takenAgain?: () => Promise<boolean>): void {
    isAnswered = false
    store.lateEnds.insist(key.id, statement, takenAgain)
  }

  /** The handler has sent its own COMMIT, which cannot be undone, so the key must not run again. */
  async function notEnded({ transaction, started }: Opened<Tx>): Promise<void> {
    if (!(await endedByHandler(store, transaction, started, claim.token))) return
    await undo(store, transaction, started)
    await completeAlone(SPENT)
    throw transactionEnded()
  }

  /**
   * Runs a statement in autocommit, and once more if its reply was lost: each of these statements
   * is safe to repeat. If the session's isolation level leads to a serialization failure, it is
   * repeated as well.
   */
  async function alone<Row>(
    statement: Statement<Row>,
    timeoutMs = acquireTimeoutMs,
  ): Promise<Row[]> {
    const ask = (): Promise<Row[]> => whenSerialized(() => client.query(statement, { timeoutMs }))
    try {
      return await ask()
    } catch (error) {
      if (isBusy(error) || isNeverSent(error)) return await besides(statement)
      if (isOutcomeKnown(error)) throw error
      return await ask().catch((second) => {
        // If the second try was never sent, the caller gets the error of the first, whose outcome
        // is unknown.
        throw isNeverSent(second) ? error : second
      })
    }
  }

  /**
   * Runs a statement on the connection that renews the leases, because the pool may have no other.
   * Handlers may hold all of them, perhaps waiting for the end of this very attempt, or the pool is
   * being ended and waits for this attempt.
   */
  async function besides<Row>(statement: Statement<Row>): Promise<Row[]> {
    return await whenSerialized(() => store.renewals.besides(statement))
  }
}

/** A record without a response: retries get `result-gone`. */
const SPENT: Completion = {
  response: { status: 500, headers: [], body: null, seal: null },
  events: [],
  writes: 'undo',
}

function isBusy(error: unknown): boolean {
  return error instanceof OncekeyError && error.code === 'store-busy'
}

/**
 * Errors that mean that another attempt has the row: it had it when the lock was requested, or got
 * it during the wait.
 */
const TAKEN_OVER = new Set([OWNED_BY_ANOTHER, '40001'])

function lost(cause: unknown): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'transaction(): the lease ran out, and another attempt has the key by now. Nothing that this ' +
      'one writes can be kept.',
    { cause },
  )
}
