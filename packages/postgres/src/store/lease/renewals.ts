import type { Statement } from '../../sql-client.ts'
import { storeError } from '../../store-error.ts'
import type { LeaseRenewal } from '../statements/renew-leases.ts'
import type { StoreState } from '../store-state.ts'
import { reservedConnection } from './reserved-connection.ts'
import { whenSerialized } from './when-serialized.ts'

/**
 * The renewals of this process. However many attempts run, they are one statement at a time, on one
 * connection that nobody else uses: what comes while a statement is under way goes with the next.
 */
export interface Renewals {
  /** An attempt runs from now on; returns what to call when it has ended. */
  attend(token: string, leaseMs: number): () => void
  renew(renewal: LeaseRenewal): Promise<'held' | 'stale'>
  /**
   * Sends what is short and cannot wait, while attempts run, on the connection of the renewals: who has
   * used up the rest of the pool is often waiting for just that.
   */
  besides(statement: Statement): Promise<unknown>
}

interface Asked {
  readonly renewal: LeaseRenewal
  readonly answer: PromiseWithResolvers<'held' | 'stale'>
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
  /** To go with the next statement. */
  let asked = new Map<string, Asked>()
  /** Tokens with a row of their own by now, and those of them whose attempts have ended since. */
  const renewed = new Set<string>()
  let over: string[] = []
  let running = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let isSending = false
  /** Of the longest lease in this process. */
  let leasedUntil = 0

  function attend(token: string, leaseMs: number): () => void {
    running += 1
    connection.keep()
    keepFor(leaseMs)
    return () => {
      running -= 1
      if (renewed.delete(token)) over.push(token)
      if (running === 0) rest()
    }
  }

  /** Nothing runs here any more: the connection is given back, without a lease left behind. */
  function rest(): void {
    if (isSending || asked.size > 0) return
    if (over.length > 0) void send()
    else connection.release()
  }

  /** An attempt that nobody ends and nobody renews shall not keep a pool from being ended. */
  function keepFor(leaseMs: number): void {
    const isWatched = leasedUntil > performance.now()
    leasedUntil = Math.max(leasedUntil, performance.now() + leaseMs)
    if (!isWatched) watch()
  }

  function watch(): void {
    const leftMs = leasedUntil - performance.now()
    if (leftMs <= 0) connection.release()
    else setTimeout(watch, Math.min(leftMs + 1, LONGEST_TIMEOUT_MS)).unref()
  }

  function renew(renewal: LeaseRenewal): Promise<'held' | 'stale'> {
    const answer = asked.get(renewal.token)?.answer ?? withResolvers()
    asked.set(renewal.token, { renewal, answer })
    keepFor(renewal.ms)
    soon(renewal.ms)
    return answer.promise
  }

  /** Not at once: what other attempts ask for within a thirtieth of a lease goes along. */
  function soon(leaseMs: number): void {
    if (isSending || timer !== undefined) return
    timer = setTimeout(() => void send(), Math.min(leaseMs / 30, LONGEST_DELAY_MS))
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
      for (const [token, { answer }] of batch) {
        if (held.has(token)) renewed.add(token)
        answer.resolve(held.has(token) ? 'held' : 'stale')
      }
    } catch (error) {
      // What was to be forgotten is left to 'purge'.
      const failure = storeError(error, store.schema)
      for (const { answer } of batch.values()) answer.reject(failure)
    } finally {
      isSending = false
    }
    const [next] = asked.values()
    if (next !== undefined) soon(next.renewal.ms)
    else if (running === 0) rest()
  }

  return { attend, renew, besides: (statement) => connection.query(statement) }
}

const LONGEST_DELAY_MS = 100

/** Beyond it `setTimeout` fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

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
