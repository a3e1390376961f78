import { callLater } from '@oncekey/core'

/** Returns the permit to its limit. A second call does nothing. */
export type Permit = () => void

/**
 * At most a fixed number of permits at once. A permit that comes free goes to whoever holds the
 * fewest, and among equals to the one that has waited longest: so one with a long queue does not
 * keep the others from getting any.
 */
export interface ConcurrencyLimit {
  /** Takes a permit if one is free at this moment. */
  tryTake(): Permit | undefined
  /** Waits for a permit. `undefined` if none came free in time, or if the signal aborted. */
  take(options: {
    readonly timeoutMs: number
    readonly signal?: AbortSignal
    /** Who takes it, by name. @default '' */
    readonly who?: string
  }): Promise<Permit | undefined>
}

export function concurrencyLimit(count: number): ConcurrencyLimit {
  let free = count
  let arrivals = 0
  const held = new Map<string, number>()
  // A Set keeps the order of arrival, and lets a waiter that gives up leave from the middle.
  const queues = new Map<string, Set<Waiter>>()

  return {
    tryTake() {
      if (free === 0) return undefined
      free--
      return permit('')
    },

    async take({ timeoutMs, signal, who = '' }) {
      if (signal?.aborted) return undefined
      if (free > 0) {
        free--
        return permit(who)
      }
      return await new Promise((resolve) => {
        const waiter: Waiter = {
          number: arrivals++,
          finish(taken) {
            timer.cancel()
            signal?.removeEventListener('abort', giveUp)
            leave(who, waiter)
            resolve(taken)
          },
        }
        const giveUp = (): void => waiter.finish(undefined)
        const timer = callLater(giveUp, timeoutMs)
        signal?.addEventListener('abort', giveUp)
        queues.set(who, (queues.get(who) ?? new Set()).add(waiter))
      })
    },
  }

  function leave(who: string, waiter: Waiter): void {
    const queue = queues.get(who)
    queue?.delete(waiter)
    if (queue?.size === 0) queues.delete(who)
  }

  function permit(who: string): Permit {
    let isHeld = true
    note(who, 1)
    return () => {
      if (!isHeld) return
      isHeld = false
      note(who, -1)
      const next = nextInTurn()
      if (next === undefined) free++
      else next.waiter.finish(permit(next.who))
    }
  }

  function note(who: string, by: 1 | -1): void {
    const now = (held.get(who) ?? 0) + by
    if (now === 0) held.delete(who)
    else held.set(who, now)
  }

  function nextInTurn(): { readonly who: string; readonly waiter: Waiter } | undefined {
    let next: { readonly who: string; readonly waiter: Waiter; readonly has: number } | undefined
    for (const [who, [waiter]] of queues) {
      if (waiter === undefined) continue
      const has = held.get(who) ?? 0
      const isLater =
        next !== undefined && (has - next.has || waiter.number - next.waiter.number) > 0
      if (!isLater) next = { who, waiter, has }
    }
    return next
  }
}

interface Waiter {
  /** Its number among all waiters, in the order of arrival. */
  readonly number: number
  finish(permit: Permit | undefined): void
}
