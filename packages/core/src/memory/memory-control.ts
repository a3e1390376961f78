import { actedBy, actTarget } from '../acts/act.ts'
import type { ConsumerControl } from '../acts/consumer-control.ts'
import type { MemoryTrail } from './memory-trail.ts'

/** Who paused a consumer, and when. */
export interface MemoryPause {
  readonly pausedAt: Date
  readonly pausedBy: string | null
}

/** Pausing the consumers of a memory log. */
export function memoryControl(on: {
  now(): number
  readonly trail: MemoryTrail
  /** `undefined` where the consumer is not known. */
  find(consumer: string): { pause: MemoryPause | undefined } | undefined
}): ConsumerControl {
  const { now, trail, find } = on

  return {
    async pause(consumer, given) {
      const by = actedBy('consumers.pause', given)
      const known = find(consumer)
      if (known === undefined) return 'unknown'
      if (known.pause !== undefined) return 'already'
      known.pause = { pausedAt: new Date(now()), pausedBy: by.actor }
      acted('consumers.pause', consumer, by, {})
      return 'paused'
    },

    async resume(consumer, given) {
      const by = actedBy('consumers.resume', given)
      const known = find(consumer)
      if (known === undefined) return 'unknown'
      if (known.pause === undefined) return 'already'
      const detail = { ...known.pause }
      known.pause = undefined
      acted('consumers.resume', consumer, by, detail)
      return 'resumed'
    },

    paused: async (consumers) => consumers.filter((name) => find(name)?.pause !== undefined),

    // Ignored: the memory log is in one process, which knows what its relays do.
    async report() {},
  }

  function acted(
    act: string,
    consumer: string,
    by: ReturnType<typeof actedBy>,
    detail: Readonly<Record<string, unknown>>,
  ): void {
    trail.add({ atMs: now(), ...by, act, target: actTarget('consumer', consumer), detail })
  }
}
