import { OptionsError } from '../errors.ts'

/** The longest that a timer of Node can be set for: one set for longer rings at once. Milliseconds. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1

/** What `callLater` set, to be called off. */
export interface Later {
  /** It does not keep the process. */
  unref(): Later
  cancel(): void
}

/**
 * A timer for any length of time: longer than Node's go in several, and `Infinity` never rings. All
 * waiting whose length somebody gives goes through here.
 */
export function callLater(call: () => void, ms: number): Later {
  let timer: ReturnType<typeof setTimeout> | undefined
  let isRef = true
  set(Math.max(0, ms))

  function set(leftMs: number): void {
    const stepMs = Math.min(leftMs, LONGEST_TIMER_MS)
    timer = setTimeout(() => (leftMs > stepMs ? set(leftMs - stepMs) : call()), stepMs)
    if (!isRef) timer.unref()
  }

  const later: Later = {
    unref() {
      isRef = false
      timer?.unref()
      return later
    },
    cancel: () => clearTimeout(timer),
  }
  return later
}

/** Resolves with whether `work` ended in that time; rejects with what it rejects with. */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let later: Later | undefined
  const late = new Promise<false>((resolve) => {
    later = callLater(() => resolve(false), ms)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    later?.cancel()
  }
}

/** A length of time that is waited for: a number from `leastMs`, or `Infinity`. Throws `OptionsError`. */
export function waitedFor(option: string, ms: unknown, leastMs: number): number {
  if (typeof ms === 'number' && ms >= leastMs) return ms
  throw new OptionsError(
    `${option} must be milliseconds from ${leastMs}, or Infinity, not ${String(ms)}.`,
  )
}
