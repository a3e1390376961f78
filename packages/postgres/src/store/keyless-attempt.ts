import { randomUUID } from 'node:crypto'
import { type Attempt, type Completion, OncekeyError, type OutboxEvent } from '@oncekey/core'
import type { SqlTransaction } from '../sql-client.ts'
import { isOutcomeKnown } from '../sql-state.ts'
import { storeError } from '../store-error.ts'
import { attemptEnd, type Outcome, transactionOver } from './attempt-end.ts'
import { backstopOf } from './backstop.ts'
import { busy } from './busy.ts'
import { commitFailed, completionFailed } from './completion-failed.ts'
import type { Place } from './places.ts'
import type { StartedJson } from './statements/start-attempt.ts'
import type { StoreState } from './store-state.ts'
import { undo } from './undo.ts'

interface Opened<Tx> {
  readonly transaction: SqlTransaction<Tx>
  readonly started: StartedJson
  readonly place: Place
}

/** An attempt without a key: no record, and no connection before one is needed. */
export function keylessAttempt<Tx>(store: StoreState<Tx>, leaseMs: number): Attempt<Tx> {
  const token = randomUUID()
  const end = attemptEnd(() => opened?.place())
  let opening: Promise<Opened<Tx>> | undefined
  let opened: Opened<Tx> | undefined

  return {
    number: 1,
    async transaction() {
      if (end.isOver()) throw transactionOver()
      opening ??= openOnce()
      const { transaction } = await opening
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

  /** Who asks again after a failure gets another try. */
  async function openOnce(): Promise<Opened<Tx>> {
    try {
      opened = await open(store, token, leaseMs)
      return opened
    } catch (error) {
      opening = undefined
      throw error
    }
  }

  /** A handler may end while its transaction is being opened. */
  async function stillOpening(): Promise<Opened<Tx> | undefined> {
    return await opening?.catch(() => undefined)
  }

  async function refuse(): Promise<Outcome> {
    await undone()
    return 'stored'
  }

  async function undone(): Promise<void> {
    const { transaction, started } = opened ?? (await stillOpening()) ?? {}
    if (transaction !== undefined) await undo(store, transaction, started)
  }

  async function keep({ events }: Completion): Promise<Outcome> {
    const { transaction, started } = opened ?? (await stillOpening()) ?? {}
    if (transaction === undefined || started === undefined) return append(events)
    try {
      const last = store.statements.endAttempt(token, events)
      await transaction.commit(last, { timeoutMs: store.commitTimeoutMs })
      return 'stored'
    } catch (error) {
      return completionFailed(store, error, started)
    }
  }

  async function append(events: readonly OutboxEvent[]): Promise<Outcome> {
    if (events.length === 0) return 'stored'
    const { statements, client, commitTimeoutMs, schema } = store
    try {
      await client.query(statements.appendEvents(events), { timeoutMs: commitTimeoutMs })
      return 'stored'
    } catch (error) {
      const nothingSent = error instanceof OncekeyError && error.code === 'store-busy'
      if (nothingSent || isOutcomeKnown(error)) throw storeError(error, schema)
      throw commitFailed(error)
    }
  }
}

async function open<Tx>(
  store: StoreState<Tx>,
  token: string,
  leaseMs: number,
): Promise<Opened<Tx>> {
  const { acquireTimeoutMs, attempts, client, isolation, maxConcurrent, schema } = store
  const place = await attempts.take({ timeoutMs: acquireTimeoutMs })
  if (place === undefined) throw busy(maxConcurrent, acquireTimeoutMs)
  try {
    const first = store.statements.startAttempt(token, backstopOf(client, leaseMs))
    const begun = await client.begin({ isolation, first, timeoutMs: acquireTimeoutMs })
    const started: StartedJson = JSON.parse(begun.rows[0]?.answer ?? '')
    return { transaction: begun.transaction, started, place }
  } catch (error) {
    place()
    throw storeError(error, schema)
  }
}
