import { OptionsError } from '../errors/errors.ts'

/** The longest time that one timer of Node takes: a longer one fires at once. Milliseconds. */
export const LONGEST_TIMER_MS: number = 2 ** 31 - 1

/**
 * The longest retention or lease: a hundred years, which databases, Redis and `Date` can each add
 * to their clock. Milliseconds.
 */
export const LONGEST_KEPT_MS: number = 100 * 365 * 86_400_000

/** The least time that a stop gives the last writes. Milliseconds. */
export const CLOSING_MS = 500

/** A call scheduled with `callLater`. */
export interface Later {
  /** Keeps the process alive, which is the default. */
  ref(): Later
  /** Lets the process exit while it waits. */
  unref(): Later
  cancel(): void
}

/**
 * Schedules a call after any length of time. Times longer than Node's timers take are split into
 * several; `Infinity` never fires. Every wait whose length the user chooses goes through here.
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
    ref() {
      isRef = true
      timer?.ref()
      return later
    },
    unref() {
      isRef = false
      timer?.unref()
      return later
    },
    cancel: () => clearTimeout(timer),
  }
  return later
}

/** Resolves after `ms`, never for `Infinity`; or when the signal aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      later.cancel()
      signal?.removeEventListener('abort', over)
      resolve()
    }
    const later = callLater(over, ms)
    if (signal?.aborted) over()
    else signal?.addEventListener('abort', over)
  })
}

/**
 * Resolves or rejects as `work` does, rejects with `late()` after `ms`, or with the signal's reason
 * when it aborts. The work itself is not stopped: the caller decides what becomes of it.
 */
export function within<T>(
  ms: number,
  work: Promise<T>,
  late: () => Error,
  signal?: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = callLater(() => over(() => reject(late())), ms)
    const aborted = (): void => over(() => reject(signal?.reason))
    const over = (end: () => void): void => {
      timer.cancel()
      signal?.removeEventListener('abort', aborted)
      end()
    }
    work.then(
      (value) => over(() => resolve(value)),
      (error) => over(() => reject(error)),
    )
    if (signal?.aborted) aborted()
    else signal?.addEventListener('abort', aborted)
  })
}

/**
 * Resolves with `true` if `work` resolved within `ms` and before the signal aborts, and otherwise
 * with `false`; rejects if `work` rejects in that time. With `unref` the wait does not keep the
 * process alive.
 */
export async function endsWithin(
  work: Promise<unknown>,
  ms: number,
  { unref = false, signal }: { readonly unref?: boolean; readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  let later: Later | undefined
  let over = (): void => {}
  const late = new Promise<false>((resolve) => {
    over = () => resolve(false)
    later = callLater(over, ms)
    if (unref) later.unref()
    if (signal?.aborted) over()
    else signal?.addEventListener('abort', over)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    later?.cancel()
    signal?.removeEventListener('abort', over)
  }
}

/** Checks a time to wait: a number from `leastMs`, or `Infinity`. Throws `OptionsError`. */
export function waitedFor(option: string, ms: unknown, leastMs: number): number {
  if (typeof ms === 'number' && ms >= leastMs) return ms
  throw new OptionsError(
    `${option} must be milliseconds from ${leastMs}, or Infinity, not ${String(ms)}.`,
  )
}

/**
 * Checks a time in whole milliseconds: a lease, a retention, a statement timeout. Throws
 * `OptionsError`.
 */
export function wholeMs(
  option: string,
  ms: unknown,
  leastMs: number,
  mostMs: number = LONGEST_KEPT_MS,
): number {
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= leastMs && ms <= mostMs) return ms
  throw new OptionsError(
    `${option} must be a whole number of milliseconds from ${leastMs} to ${mostMs}, not ${String(ms)}.`,
  )
}
