import { randomUUID } from 'node:crypto'
import { OncekeyError, type OutboxEvent, sleep } from '@oncekey/core'
import {
  type BegunAt,
  endedInside,
  isOutcomeKnown,
  isReadOnlyServer,
  isSetInSession,
  lastStatement,
  type SqlTransaction,
  type Statement,
  sqlState,
} from '@oncekey/postgres/client'
import type { ResolvedStep } from '../definition/definition.ts'
import type { Move } from '../run/move.ts'
import type { Held } from '../state/leases.ts'
import type { RunnerState } from '../state/runner-state.ts'

/**
 * The transaction of one attempt, which is opened if the step asks for it, and the functions that
 * end it and record the outcome.
 */
export interface StepTransaction<Tx> {
  /** Opens the transaction on the first call. Throws if this process no longer has the run. */
  open(): Promise<Tx>
  /** Commits what the step wrote together with the move. */
  commit(move: Move, events: readonly OutboxEvent[]): Promise<Written>
  /** Rolls back what the step wrote, then records the move. */
  rollback(move: Move): Promise<Written>
  /** Rolls back what the step wrote and records nothing. */
  abandon(): Promise<void>
}

/**
 * - `written`: everything was written.
 * - `cancelled`: an operator cancelled the run. Only the attempted step was written, unless it is a
 *   local step that cannot be undone: then nothing was.
 * - `refused`: nothing was written; the cause is something that the step wrote or did. With
 *   `hasCommitted` the step ended its transaction itself, and has probably committed what it wrote.
 * - `lost`: nothing was written; another process has the run.
 * - `in-doubt`: the outcome is unknown until the database is asked. With `isAlone` the move stood
 *   alone: nothing that the step wrote depends on it.
 */
export type Written =
  | { readonly kind: 'written' }
  | { readonly kind: 'cancelled' }
  | { readonly kind: 'refused'; readonly error: unknown; readonly hasCommitted?: boolean }
  | { readonly kind: 'lost' }
  | { readonly kind: 'in-doubt'; readonly error: unknown; readonly isAlone: boolean }

export function stepTransaction<Tx>(
  runner: RunnerState<Tx>,
  held: Held,
  step: Pick<ResolvedStep, 'timeoutMs'>,
): StepTransaction<Tx> {
  const { client, leaseMs, statements, acquireTimeoutMs, commitTimeoutMs: timeoutMs } = runner
  const { id, epoch } = held
  let opening: Promise<Opened<Tx>> | undefined
  let isOver = false

  return {
    async open() {
      if (isOver) throw over()
      opening ??= begin()
      const { transaction } = await opening
      if (isOver) throw over()
      return transaction.handle
    },

    async commit(move, events) {
      const transaction = (await end())?.transaction
      return await write(move, events, transaction !== undefined, (last) =>
        transaction === undefined ? alone(last) : transaction.commit(last, { timeoutMs }),
      )
    },

    async rollback(move) {
      const opened = await end()
      const transaction = opened?.transaction
      if (opened !== undefined && (await endedByStep(opened))) {
        await undo(opened)
        return refused(TRANSACTION_ENDED, undefined)
      }
      return await write(move, [], false, (next) =>
        transaction === undefined
          ? alone(next)
          : transaction.rollback({ next, timeoutMs }).catch((error) => alone(next, error)),
      )
    },

    async abandon() {
      await undo(await end())
    },
  }

  /**
   * If the rollback does not reach the server, the connection is gone, and the server ends the
   * transaction.
   */
  async function undo(opened: Opened<Tx> | undefined): Promise<void> {
    await opened?.transaction.rollback({ timeoutMs: UNDO_TIMEOUT_MS }).catch(() => {})
  }

  /**
   * Whether the step ended its transaction itself, by a procedure with a COMMIT in it for example.
   * The session is asked for the mark that `saga_hold_2` left in the transaction.
   */
  function endedByStep({ transaction, begun }: Opened<Tx>): Promise<boolean> {
    const isSame = statements.isHeld(held)
    return endedInside(client, transaction, { ...begun, isSame, timeoutMs: acquireTimeoutMs })
  }

  async function begin(): Promise<Opened<Tx>> {
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
      const { rows, transaction } = await client.begin({
        isolation: 'read committed',
        first,
        timeoutMs: acquireTimeoutMs,
      })
      held.isLocked = true
      const [row] = rows
      const begun = { backend: Number(row?.backend ?? 0), started: row?.started ?? '0' }
      return { transaction, begun }
    } catch (error) {
      if (sqlState(error) === LOST) throw lostRun(error)
      throw sqlState(error) === CANCELLED ? cancelledRun(error) : error
    }
  }

  /** Runs the statement of a move. It contains the name of the last move, and sets a new name. */
  async function write(
    move: Move,
    events: readonly OutboxEvent[],
    within: boolean,
    run: (statement: Statement<{ outcome: string }>) => Promise<{ outcome: string }[]>,
  ): Promise<Written> {
    const next = randomUUID()
    const { move: before, state } = held
    const { json, own = null, isIrreversible: guarded = false } = move
    const about = { id, epoch, before, next, state, leaseMs, within, guarded, own, events }
    let statement: Statement<{ outcome: string }>
    try {
      statement = lastStatement(() => statements.recordMove({ ...about, move: json }))
    } catch (error) {
      await undo(await end())
      return { kind: 'refused', error }
    }
    held.isMoving = true
    try {
      const [row] = await run(statement)
      held.move = next
      if (row?.outcome === 'cancelled') return CANCELLED_RUN
      held.state = move.run.state
      return WRITTEN
    } catch (error) {
      // The step has happened: a move that stands alone is not the step's to fail.
      if (!within && isPassing(error)) return { kind: 'in-doubt', error, isAlone: true }
      return writtenOf(error, !within)
    } finally {
      held.isMoving = false
    }
  }

  /**
   * Sends a move that is a transaction of its own, and again if the server has refused it for
   * something that passes, while this process has the run: a deadlock, a timeout, no room, a
   * session that somebody left unfit. Nothing of a refused move is written. `refused` is the error
   * if it was sent once already.
   */
  async function alone<Row>(statement: Statement<Row>, refused?: unknown): Promise<Row[]> {
    let error = refused
    for (const waitMs of error === undefined ? [0, ...WAITS_MS] : WAITS_MS) {
      if (error !== undefined && !isPassing(error)) throw error
      if (waitMs > 0) await sleep(waitMs * (0.5 + Math.random()), held.lostSignal)
      if (held.lostSignal.aborted && error !== undefined) throw error
      try {
        return await client.query(statement, { timeoutMs })
      } catch (thrown) {
        error = thrown
      }
    }
    throw error
  }

  /**
   * Waits until an opening that is under way has ended, even if it fails or the step did not wait
   * for it.
   */
  async function end(): Promise<Opened<Tx> | undefined> {
    isOver = true
    const opened = await opening?.catch(() => undefined)
    held.isLocked = false
    return opened
  }

  /**
   * How long the server lets the transaction be idle before it ends it, for a host that disappears
   * without closing its connection. 0 (never) on PGlite, which loops forever when this timeout
   * fires.
   */
  function backstopMs(): number {
    if (client.concurrency === 'one') return 0
    return Math.min(Math.max(step.timeoutMs, leaseMs) + 5_000, 2 ** 31 - 1)
  }
}

interface Opened<Tx> {
  readonly transaction: SqlTransaction<Tx>
  readonly begun: BegunAt
}

function writtenOf(error: unknown, isAlone: boolean): Written {
  const state = sqlState(error)
  if (state === LOST) return { kind: 'lost' }
  if (state === CANCELLED) return CANCELLED_RUN
  if (error instanceof OncekeyError && error.code === 'transaction-aborted') {
    return { kind: 'refused', error }
  }
  if (!isOutcomeKnown(error)) return { kind: 'in-doubt', error, isAlone }
  return state === undefined ? { kind: 'refused', error } : refused(state, error)
}

/**
 * Whether the server has refused a statement for something that passes, and wrote nothing. A
 * session in which somebody left a role, an encoding or read-only transactions, and a standby that
 * the address leads to during a failover, are such things: the next session may be another.
 */
function isPassing(error: unknown): boolean {
  if (isReadOnlyServer(error) || isSetInSession(error)) return true
  return PASSING.test(sqlState(error) ?? '')
}

function refused(state: string, cause: unknown): Written {
  const error = refusedBy(state, cause)
  return { kind: 'refused', error, hasCommitted: state === TRANSACTION_ENDED }
}

function refusedBy(state: string, cause: unknown): unknown {
  if (state === TRANSACTION_ENDED) {
    return new OncekeyError(
      'transaction-ended',
      'The step ended its transaction itself, by a COMMIT or ROLLBACK that Oncekey did not see. ' +
        'Remove it: Oncekey ends the transaction. What the step wrote is probably kept.',
      cause === undefined ? {} : { cause },
    )
  }
  if (state === IN_FAILED_TRANSACTION) {
    return new OncekeyError(
      'transaction-aborted',
      'A statement of the step failed, and the step ignored the error, so nothing was kept. Rethrow ' +
        'the error, or wrap the statement in SAVEPOINT and ROLLBACK TO.',
      { cause },
    )
  }
  return cause
}

function lostRun(cause: unknown): OncekeyError {
  return new OncekeyError('attempt-over', 'Another process has taken over this run.', { cause })
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
/**
 * A serialization failure, a deadlock, a lock or a statement that took too long, and a server that
 * lacks connections, memory or disk.
 */
const PASSING = /^(?:40001|40P01|55P03|57014|53...)$/
const WAITS_MS = [50, 100, 200, 400, 800]
const UNDO_TIMEOUT_MS = 1_000
