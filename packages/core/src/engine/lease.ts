import type { Attempt } from '../contracts/store.ts'
import { OncekeyError } from '../errors/errors.ts'
import { callLater } from '../time/durations.ts'
import { reportFailure } from './answer.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'

/**
 * Lease mode: renews the lease three times per `leaseMs` until it is stopped. Calls `lost` once
 * another attempt owns the key or could own it, as when the store has not answered for too long.
 * The handler's timeout limits how long it renews.
 */
export function keepLease<Tx>(
  attempt: Attempt<Tx>,
  options: ResolvedOptions<Tx>,
  question: Question,
  lost: (reason: OncekeyError) => void,
): { stop(): void } | undefined {
  if (options.store.capabilities.mode !== 'lease' || question.facts.key === undefined)
    return undefined
  const { leaseMs } = options
  let heldUntil = (attempt.askedAt ?? performance.now()) + leaseMs
  let asking = false
  let stopped = false
  let timer = callLater(tick, Math.max(0, heldUntil - (leaseMs * 2) / 3 - performance.now()))

  function tick(): void {
    const leftMs = heldUntil - performance.now()
    if (leftMs <= 0) lose('The lease ran out: the store could not be reached to renew it.')
    if (stopped) return
    if (!asking) void renew()
    timer = callLater(tick, Math.min(leaseMs / 3, leftMs))
  }

  async function renew(): Promise<void> {
    // The lease is counted from the moment of asking: the store's clock for it started no earlier.
    const askedAt = performance.now()
    asking = true
    try {
      const renewal = await attempt.renew(leaseMs)
      if (renewal === 'stale') lose('The lease was lost to another attempt.')
      // Another attempt may have begun between the end of the lease and the commit of the renewal.
      else if (performance.now() >= heldUntil) lose('The lease ran out before it was renewed.')
      else heldUntil = askedAt + leaseMs
    } catch (error) {
      if (!stopped) reportFailure(question, 'renew', error)
    } finally {
      asking = false
    }
  }

  function lose(why: string): void {
    if (stopped) return
    stop()
    lost(new OncekeyError('attempt-over', why))
  }

  function stop(): void {
    stopped = true
    timer.cancel()
  }

  return { stop }
}
