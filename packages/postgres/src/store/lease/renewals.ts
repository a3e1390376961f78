import { callLater, type Later } from '@oncekey/core'
import { reservedConnection } from '../../sql/reserved-connection.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { storeError } from '../../sql/store-error.ts'
import { whenSerialized } from '../../sql/when-serialized.ts'
import type { StoreState } from '../attempt/store-state.ts'
import type { LeaseRenewal } from '../statements/leases.ts'

/**
 * The lease renewals of this process. One statement at a time renews all running attempts, on a
 * connection that nothing else uses. Renewals that are requested while a statement is under way go
 * into the next one.
 */
export interface Renewals {
  /** Registers a running attempt. Call the returned function when the attempt has ended. */
  attend(token: string, leaseMs: number): Ended
  renew(renewal: LeaseRenewal): Promise<'held' | 'stale'>
  /**
   * Runs a short statement on the connection of the renewals, for a statement that must not wait:
   * handlers that hold the rest of the pool are often waiting for just this statement.
   */
  besides<Row>(statement: Statement<Row>): Promise<Row[]>
}

/**
 * Tells that an attempt has ended. Its lease is deleted, unless the database has not answered the
 * end: the attempt then has its key for as long as the lease says, and its end is still to come.
 */
export type Ended = (isAnswered: boolean) => void

interface Asked {
  readonly renewal: LeaseRenewal
  /** Set if the attempt has ended meanwhile and keeps its lease. */
  isLeft?: boolean
  readonly reply: PromiseWithResolvers<'held' | 'stale'>
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

export function renewals<Tx>(
  store: Pick<StoreState<Tx>, 'acquireTimeoutMs' | 'client' | 'schema' | 'statements'>,
): Renewals {
  const connection = reservedConnection(store.client, store.acquireTimeoutMs)
  /** Renewals for the next statement. */
  let asked = new Map<string, Asked>()
  /** Those of the statement that is under way. */
  let sent = new Map<string, Asked>()
  /** The tokens of running attempts, and for each whether it has a row in `leases`. */
  const attended = new Map<string, boolean>()
  /** The tokens of attempts that have ended and have a row in `leases`. */
  let over: string[] = []
  let timer: Later | undefined
  let isSending = false
  /** When the last lease of this process ends. */
  let leasedUntil = 0

  function attend(token: string, leaseMs: number): Ended {
    attended.set(token, false)
    connection.keep()
    keepFor(leaseMs)
    return (isAnswered) => {
      if (isAnswered && attended.get(token)) over.push(token)
      if (!isAnswered) leave(token)
      attended.delete(token)
      if (attended.size === 0) rest()
    }
  }

  /** A renewal that is still to be answered writes a row that is not to be deleted either. */
  function leave(token: string): void {
    for (const each of [asked.get(token), sent.get(token)])
      if (each !== undefined) each.isLeft = true
  }

  /** If no attempt runs, deletes the leases that are left and returns the connection. */
  function rest(): void {
    if (isSending || asked.size > 0) return
    if (over.length > 0) void send()
    else connection.release()
  }

  /**
   * Keeps the connection for the length of the lease only: an attempt that is neither ended nor
   * renewed must not keep its pool from being ended.
   */
  function keepFor(leaseMs: number): void {
    const isWatched = leasedUntil > performance.now()
    leasedUntil = Math.max(leasedUntil, performance.now() + leaseMs)
    if (!isWatched) watch()
  }

  function watch(): void {
    const leftMs = leasedUntil - performance.now()
    if (leftMs <= 0) connection.release()
    else callLater(watch, leftMs + 1).unref()
  }

  function renew(renewal: LeaseRenewal): Promise<'held' | 'stale'> {
    const reply = asked.get(renewal.token)?.reply ?? withResolvers()
    asked.set(renewal.token, { renewal, reply })
    keepFor(renewal.ms)
    soon(renewal.ms)
    return reply.promise
  }

  /**
   * Sends the next statement after a thirtieth of a lease, so that it includes renewals of other
   * attempts.
   */
  function soon(leaseMs: number): void {
    if (isSending || timer !== undefined) return
    timer = callLater(() => void send(), Math.min(leaseMs / 30, LONGEST_DELAY_MS))
  }

  async function send(): Promise<void> {
    timer = undefined
    isSending = true
    const [batch, ended] = [asked, over]
    sent = batch
    asked = new Map()
    over = []
    const leases = [...batch.values()].map(({ renewal }) => renewal)
    try {
      const statement = store.statements.renewLeases(leases, ended)
      const [row] = await whenSerialized(() => connection.query(statement))
      const held = new Set<string>(JSON.parse(row?.held ?? ''))
      for (const [token, { reply, isLeft }] of batch) {
        if (held.has(token) && isLeft !== true) hasRow(token)
        reply.resolve(held.has(token) ? 'held' : 'stale')
      }
    } catch (error) {
      // This statement should have deleted rows of ended attempts. They are left to `purge`.
      const failure = storeError(error, store.schema)
      for (const { reply } of batch.values()) reply.reject(failure)
    } finally {
      isSending = false
    }
    const [next] = asked.values()
    if (next !== undefined) soon(next.renewal.ms)
    else if (attended.size === 0) rest()
  }

  /** If an attempt ends while its renewal is under way, the renewal still leaves a row. */
  function hasRow(token: string): void {
    if (attended.has(token)) attended.set(token, true)
    else over.push(token)
  }

  return { attend, renew, besides: (statement) => connection.query(statement) }
}

const LONGEST_DELAY_MS = 100

function withResolvers(): PromiseWithResolvers<'held' | 'stale'> {
  let [resolve, reject]: [(value: 'held' | 'stale') => void, (reason: unknown) => void] = [
    () => {},
    () => {},
  ]
  const promise = new Promise<'held' | 'stale'>((resolved, rejected) => {
    resolve = resolved
    reject = rejected
  })
  return { promise, resolve, reject }
}
