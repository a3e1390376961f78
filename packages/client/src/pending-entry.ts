/** What a storage holds for an operation whose calls had no final answer yet. */
export interface PendingEntry {
  readonly key: string
  /** When the first call with the key began. Milliseconds since 1970. */
  readonly since: number
  /** When the last one began. Milliseconds since 1970. */
  readonly last: number
  /** How many calls have had the key, without those of this page that were refused for good. */
  readonly calls: number
  /** When a call was told that the key is too old. Milliseconds since 1970. */
  readonly told?: number
}

/** The entry as text. */
export function entryText(entry: PendingEntry): string {
  return JSON.stringify(entry)
}

/** The entry as it was stored, or as an object if the storage parses JSON itself. */
export function entryOf(stored: unknown): PendingEntry | undefined {
  try {
    const entry: unknown = typeof stored === 'string' ? JSON.parse(stored) : stored
    const { key, since, last = since, calls = 1, told } = (entry ?? {}) as Partial<PendingEntry>
    const isWhole =
      typeof key === 'string' &&
      typeof since === 'number' &&
      typeof last === 'number' &&
      typeof calls === 'number'
    if (!isWhole) return undefined
    return { key, since, last, calls, ...(typeof told === 'number' && { told }) }
  } catch {
    // An entry that is incomplete, or that something else stored under this name, counts as absent.
    return undefined
  }
}

/**
 * How far ahead of the clock an entry may be. Clocks are set back by less all the time, and servers
 * keep keys for longer than `expiresAfterMs` by more.
 */
const CLOCK_STEP_MS = 60_000

/**
 * What to do with an entry. The server has the key for `expiresAfterMs` from each attempt on, so:
 * - `send` it while the first attempt is younger than that, because every attempt is still known;
 * - after that, and if the clock was ahead at the time, neither this key nor a new one is safe: the
 *   server may have forgotten the first attempt (the old key would run again), and may know the
 *   last one (a new key would run again);
 * - `drop` it when the last attempt is older too, because the server knows none of them: the calls
 *   of a minute are told so, and the next takes a new key.
 */
export function judgeEntry(
  { since, last }: PendingEntry,
  now: number,
  expiresAfterMs: number,
): 'send' | 'refuse' | 'drop' {
  if (now - last >= expiresAfterMs) return 'drop'
  return since - now <= CLOCK_STEP_MS && now - since < expiresAfterMs ? 'send' : 'refuse'
}
