import { reportFailure } from './answer.ts'
import { OncekeyError } from './errors.ts'
import type { ResolvedOptions } from './options.ts'
import type { Question } from './question.ts'
import type { Attempt } from './store.ts'

/**
 * Lease mode: asks for a renewal three times per lease until it is stopped, and calls `lost` once the
 * key is another's, or could be: also when the store does not answer at all. The handler's own timeout
 * is the ceiling.
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
  let heldUntil = performance.now() + leaseMs
  let asking = false
  let stopped = false
  let timer = setTimeout(tick, leaseMs / 3)

  function tick(): void {
    const leftMs = heldUntil - performance.now()
    if (leftMs <= 0) lose('The lease ran out: the store could not be reached to renew it.')
    if (stopped) return
    if (!asking) void renew()
    timer = setTimeout(tick, Math.min(leaseMs / 3, leftMs))
  }

  async function renew(): Promise<void> {
    // Only this much is known: the store's clock started no earlier than it was asked.
    const askedAt = performance.now()
    asking = true
    try {
      const answer = await attempt.renew(leaseMs)
      if (answer === 'held') heldUntil = askedAt + leaseMs
      else lose('The lease was lost to another attempt.')
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
    clearTimeout(timer)
  }

  return { stop }
}
