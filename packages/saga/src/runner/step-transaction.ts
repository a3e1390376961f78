import { randomUUID } from 'node:crypto'
import { OncekeyError, type OutboxEvent } from '@oncekey/core'
import {
  isOutcomeKnown,
  type SqlTransaction,
  type Statement,
  sqlState,
} from '@oncekey/postgres/client'
import type { ResolvedStep } from '../definition/definition.ts'
import type { Move } from '../run/move.ts'
import type { Held } from '../state/leases.ts'
import type { RunnerState } from '../state/runner-state.ts'

/** The transaction of one attempt, if it asks for one, and the way its outcome is written. */
export interface StepTransaction<Tx> {
  /** Opened when first asked for, and only for who still has the run. */
  open(): Promise<Tx>
  /** Writes a move together with what the step wrote. */
  commit(move: Move, events: readonly OutboxEvent[]): Promise<Written>
  /** Undoes what the step wrote, and writes a move. */
  rollback(move: Move): Promise<Written>
  /** Undoes what the step wrote and writes nothing. */
  abandon(): Promise<void>
}

/**
 * - `written`: all of it.
 * - `cancelled`: the step that was tried, and nothing that leads on: the run is to be undone. Not even
 *   that step where it is local and there is no way back from it.
 * - `refused`: none of it, because of what the step itself wrote or did.
 * - `lost`: none of it; the run is another's by now.
 * - `in-doubt`: nobody knows; the database has to be asked.
 */
export type Written =
  | { readonly kind: 'written' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'lost' }
  | { readonly kind: 'in-doubt'; readonly error: unknown }

export function stepTransaction<Tx>(
  runner: RunnerState<Tx>,
  held: Held,
  step: Pick<ResolvedStep, 'timeoutMs'>,
): StepTransaction<Tx> {
  const { client, leaseMs, statements, acquireTimeoutMs, commitTimeoutMs } = runner
  const { id, epoch } = held
  let opening: Promise<SqlTransaction<Tx>> | undefined
  let isOver = false

  return {
    async open() {
      if (isOver) throw over()
      opening ??= begin()
      const transaction = await opening
      if (isOver) throw over()
      return transaction.handle
    },

    async commit(move, events) {
      const transaction = await end()
      const timeoutMs = commitTimeoutMs
      return await write(move, events, transaction !== undefined, (last) =>
        transaction === undefined
          ? client.query(last, { timeoutMs })
          : transaction.commit(last, { timeoutMs }),
      )
    },

    async rollback(move) {
      const transaction = await end()
      const timeoutMs = commitTimeoutMs
      return await write(move, [], false, (next) =>
        transaction === undefined
          ? client.query(next, { timeoutMs })
          : transaction.rollback({ next, timeoutMs }),
      )
    },

    async abandon() {
      const transaction = await end()
      // Where the server does not hear of it, the connection is gone, and the transaction with it.
      await transaction?.rollback({ timeoutMs: UNDO_TIMEOUT_MS }).catch(() => {})
    },
  }

  async function begin(): Promise<SqlTransaction<Tx>> {
    const { move, state } = held
    const first = statements.holdRun({
      id,
      epoch,
      move,
      state,
      leaseMs,
      backstopMs: backstopMs(),
    })
    try {
      const { transaction } = await client.begin({
        isolation: 'read committed',
        first,
        timeoutMs: acquireTimeoutMs,
      })
      held.isLocked = true
      return transaction
    } catch (error) {
      if (sqlState(error) === LOST) throw lostRun(error)
      throw sqlState(error) === CANCELLED ? cancelledRun(error) : error
    }
  }

  /** Runs a move's statement. The move that it names as its own is the one before the next. */
  async function write(
    move: Move,
    events: readonly OutboxEvent[],
    within: boolean,
    run: (statement: Statement<{ outcome: string }>) => Promise<{ outcome: string }[]>,
  ): Promise<Written> {
    const next = randomUUID()
    const { move: before, state } = held
    const { json, own = null, isGuarded: guarded = false } = move
    const about = { id, epoch, before, next, state, leaseMs, within, guarded, own, events }
    try {
      const [row] = await run(statements.recordMove({ ...about, move: json }))
      held.move = next
      if (row?.outcome === 'cancelled') return CANCELLED_RUN
      held.state = move.run.state
      return WRITTEN
    } catch (error) {
      return writtenOf(error)
    }
  }

  /** An opening that failed, or that the step did not wait for, is over all the same. */
  async function end(): Promise<SqlTransaction<Tx> | undefined> {
    isOver = true
    const transaction = await opening?.catch(() => undefined)
    held.isLocked = false
    return transaction
  }

  /**
   * A host that is lost sends nothing, not even that it is gone. Never on PGlite, which spins for ever
   * when the timeout fires.
   */
  function backstopMs(): number {
    if (client.concurrency === 'one') return 0
    return Math.min(Math.max(step.timeoutMs, leaseMs) + 5_000, 2 ** 31 - 1)
  }
}

function writtenOf(error: unknown): Written {
  const state = sqlState(error)
  if (state === LOST) return { kind: 'lost' }
  if (state === CANCELLED) return CANCELLED_RUN
  if (error instanceof OncekeyError && error.code === 'transaction-aborted') {
    return { kind: 'refused', error }
  }
  if (!isOutcomeKnown(error)) return { kind: 'in-doubt', error }
  return { kind: 'refused', error: state === undefined ? error : refusedBy(state, error) }
}

function refusedBy(state: string, cause: unknown): unknown {
  if (state === TRANSACTION_ENDED) {
    return new OncekeyError(
      'transaction-ended',
      'The step ended its transaction itself, by a COMMIT or ROLLBACK that was not seen. Leave the ' +
        'end of the transaction to Oncekey.',
      { cause },
    )
  }
  if (state === IN_FAILED_TRANSACTION) {
    return new OncekeyError(
      'transaction-aborted',
      'A statement of the step failed, and the step went on as if it had not: nothing was kept. Let ' +
        'the error through, or put SAVEPOINT and ROLLBACK TO around the statement.',
      { cause },
    )
  }
  return cause
}

function lostRun(cause: unknown): OncekeyError {
  return new OncekeyError('attempt-over', 'Another process has taken this run over.', { cause })
}

function cancelledRun(cause: unknown): OncekeyError {
  return new OncekeyError('attempt-over', 'This run was cancelled.', { cause })
}

function over(): OncekeyError {
  return new OncekeyError('transaction-over', 'The attempt has ended, and its transaction with it.')
}

const WRITTEN: Written = { kind: 'written' }
const CANCELLED_RUN: Written = { kind: 'cancelled' }
const TRANSACTION_ENDED = 'OK001'
const LOST = 'OK003'
const CANCELLED = 'OK004'
const IN_FAILED_TRANSACTION = '25P02'
const UNDO_TIMEOUT_MS = 1_000
