import { callLater, type Later } from '@oncekey/core'
import { reservedConnection } from '../../sql/reserved-connection.ts'
import type { Statement } from '../../sql/sql-client.ts'
import { storeError } from '../../sql/store-error.ts'
import { whenSerialized } from '../../sql/when-serialized.ts'
import type { StoreState } from '../attempt/store-state.ts'
import type { LeaseRenewal } from '../statements/leases.ts'

/**
 * The lease renewals of this process: one statement at a time, however many attempts run, on a
 * connection that nothing else uses. Renewals that arrive while a statement is under way go into
 * the next.
 */
export interface Renewals {
  /** Registers a running attempt. Returns what to call when it has ended. */
  attend(token: string, leaseMs: number): () => void
  renew(renewal: LeaseRenewal): Promise<'held' | 'stale'>
  /**
   * Runs a short statement that cannot wait on the connection of the renewals. Handlers that hold
   * the rest of the pool are often waiting for just this statement.
   */
  besides<Row>(statement: Statement<Row>): Promise<Row[]>
}

interface Asked {
  readonly renewal: LeaseRenewal
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
  /** Tokens of running attempts, with whether they have a row of their own. */
  const attended = new Map<string, boolean>()
  /** Tokens that have a row, and whose attempts have ended. */
  let over: string[] = []
  let timer: Later | undefined
  let isSending = false
  /** The longest lease in this process. */
  let leasedUntil = 0

  function attend(token: string, leaseMs: number): () => void {
    attended.set(token, false)
    connection.keep()
    keepFor(leaseMs)
    return () => {
      if (attended.get(token)) over.push(token)
      attended.delete(token)
      if (attended.size === 0) rest()
    }
  }

  /** Returns the connection once no attempt runs, and leaves no lease behind. */
  function rest(): void {
    if (isSending || asked.size > 0) return
    if (over.length > 0) void send()
    else connection.release()
  }

  /** An attempt that is neither ended nor renewed must not keep its pool from being ended. */
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
   * Waits a thirtieth of a lease, so that renewals of other attempts go into the same statement.
   */
  function soon(leaseMs: number): void {
    if (isSending || timer !== undefined) return
    timer = callLater(() => void send(), Math.min(leaseMs / 30, LONGEST_DELAY_MS))
  }

  async function send(): Promise<void> {
    timer = undefined
    isSending = true
    const [batch, ended] = [asked, over]
    asked = new Map()
    over = []
    const leases = [...batch.values()].map(({ renewal }) => renewal)
    try {
      const statement = store.statements.renewLeases(leases, ended)
      const [row] = await whenSerialized(() => connection.query(statement))
      const held = new Set<string>(JSON.parse(row?.held ?? ''))
      for (const [token, { reply }] of batch) {
        if (held.has(token)) hasRow(token)
        reply.resolve(held.has(token) ? 'held' : 'stale')
      }
    } catch (error) {
      // The rows of ended attempts that this should have deleted are left to `purge`.
      const failure = storeError(error, store.schema)
      for (const { reply } of batch.values()) reply.reject(failure)
    } finally {
      isSending = false
    }
    const [next] = asked.values()
    if (next !== undefined) soon(next.renewal.ms)
    else if (attended.size === 0) rest()
  }

  /** An attempt that ended while its renewal was under way has a row all the same. */
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
