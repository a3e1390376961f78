import { randomUUID } from 'node:crypto'
import {
  type Attempt,
  type Claim,
  type Completion,
  OncekeyError,
  type OutboxEvent,
} from '@oncekey/core'
import { markAtEnd } from '../../commit/attempt-mark.ts'
import { commitFailed, transactionEnded } from '../../commit/completion-error.ts'
import { lastStatement } from '../../commit/last-statement.ts'
import { backstopOf, lateBackstopOf } from '../../sql/backstop.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { isOutcomeKnown } from '../../sql/sql-state.ts'
import { storeError } from '../../sql/store-error.ts'
import { attemptEnd, type Outcome, transactionOver } from './attempt-end.ts'
import { completionFailed } from './completion-failed.ts'
import { endedByHandler } from './ended-by-handler.ts'
import { lateTransaction } from './late-transaction.ts'
import type { StoreState } from './store-state.ts'
import { undo } from './undo.ts'

/** An attempt without a key. It has no record, and no connection until it needs one. */
export function keylessAttempt<Tx>(
  store: StoreState<Tx>,
  time: Pick<Claim, 'leaseMs' | 'handlerTimeoutMs'>,
): Attempt<Tx> {
  const { client, mode } = store
  const token = randomUUID()
  const backstopMs =
    mode === 'lease' ? lateBackstopOf(client, time) : backstopOf(client, time.leaseMs)
  const late = lateTransaction(store, () => store.statements.startAttempt(token, backstopMs))
  const end = attemptEnd(late.over)

  return {
    number: 1,
    async transaction() {
      if (end.isOver()) throw transactionOver()
      const { transaction } = await late.open()
      if (end.isOver()) throw transactionOver()
      return transaction.handle
    },
    complete: (completion) =>
      end.complete(() => (completion.writes === 'keep' ? keep(completion) : refuse())),
    release: () => end.undo(undone),
    abandon: () => end.undo(undone),
    async renew() {
      return end.isOver() ? 'stale' : 'held'
    },
  }

  async function refuse(): Promise<Outcome> {
    await undone()
    return 'stored'
  }

  async function undone(): Promise<void> {
    const opened = late.opened ?? (await late.stillOpening())
    if (opened === undefined) return
    const { transaction, started } = opened
    const isOver = await endedByHandler(store, transaction, started, token)
    await undo(store, transaction, started)
    if (isOver) throw transactionEnded()
  }

  async function keep({ events }: Completion): Promise<Outcome> {
    const { transaction, started } = late.opened ?? (await late.stillOpening()) ?? {}
    if (transaction === undefined || started === undefined) return append(events)
    const began = { mark: markAtEnd(client, token, transaction), started: started.started }
    let last: Statement
    try {
      last = lastStatement(() => store.statements.endAttempt(began, events))
    } catch (error) {
      await undone()
      throw error
    }
    try {
      await transaction.commit(last, { timeoutMs: store.commitTimeoutMs })
      return 'stored'
    } catch (error) {
      return completionFailed(store, error, started)
    }
  }

  async function append(events: readonly OutboxEvent[]): Promise<Outcome> {
    if (events.length === 0) return 'stored'
    const { statements, commitTimeoutMs, schema } = store
    const statement = lastStatement(() => statements.appendEvents(events))
    try {
      await client.query(statement, { timeoutMs: commitTimeoutMs })
      return 'stored'
    } catch (error) {
      const nothingSent = error instanceof OncekeyError && error.code === 'store-busy'
      if (nothingSent || isOutcomeKnown(error)) throw storeError(error, schema)
      throw commitFailed(error)
    }
  }
}
