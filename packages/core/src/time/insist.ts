import { callLater } from './durations.ts'

/** How work is done that must not be lost when a server is away for a while. */
export interface Insisting<Work> {
  /**
   * Does some of the work and returns the ids of what is done; the rest is tried again, as all of
   * it is when this rejects.
   */
  readonly attempt: (works: ReadonlyMap<string, Work>) => Promise<Iterable<string>>
  /** Whether an error says that no attempt can succeed any more: then all work is given up. */
  readonly isHopeless: (error: unknown) => boolean
  /** The most that one attempt gets. */
  readonly mostAtOnce: number
  /** Called with work that stays undone, because its time is up or too much is open. */
  readonly gaveUp: (work: Work) => void
}

/** Takes work by its id, and resolves once it was tried for the first time. It never rejects. */
export type Insist<Work> = (id: string, work: Work, forMs: number) => Promise<void>

/**
 * Does work until it is done, or until its time is up. All of it shares one timer and one attempt
 * at a time, with longer and longer pauses between attempts that fail. It keeps no process alive:
 * one that ends leaves the rest undone. What is beyond {@link MOST_OPEN} is given up, oldest first.
 *
 * @example
 * ```ts
 * const insist = createInsistence<string>({
 *   attempt: async (names) => { await forget([...names.values()]); return names.keys() },
 *   isHopeless: () => false,
 *   mostAtOnce: 64,
 *   gaveUp: (name) => console.warn(`${name} is not forgotten`),
 * })
 * void insist('order-1', 'order-1', 60_000)
 * ```
 */
export function createInsistence<Work>(options: Insisting<Work>): Insist<Work> {
  const { attempt, isHopeless, mostAtOnce, gaveUp } = options
  const open = new Map<string, Open<Work>>()
  let isTrying = false
  let isWaiting = false
  let pauseMs = FIRST_PAUSE_MS

  function insist(id: string, work: Work, forMs: number): Promise<void> {
    return new Promise((resolve) => {
      open.get(id)?.tried()
      const [oldest] = open
      if (open.size >= MOST_OPEN && oldest !== undefined) {
        giveUp(...oldest)
        gaveUp(oldest[1].work)
      }
      open.set(id, { work, until: performance.now() + forMs, tried: resolve })
      if (!isTrying && !isWaiting) void round()
    })
  }

  async function round(): Promise<void> {
    isTrying = true
    const entries = [...open].slice(0, mostAtOnce)
    const works = new Map(entries.map(([id, { work }]) => [id, work]))
    let done: Iterable<string> = []
    let hasFailed = false
    try {
      done = await attempt(works)
    } catch (error) {
      hasFailed = true
      if (isHopeless(error)) for (const entry of [...open]) giveUp(...entry)
    }
    for (const id of done) {
      open.get(id)?.tried()
      open.delete(id)
    }
    for (const [id, each] of entries) {
      if (open.get(id) !== each) continue
      each.tried()
      open.delete(id)
      // To the back, so that what can be done is not kept waiting by what cannot.
      if (performance.now() < each.until) open.set(id, each)
      else gaveUp(each.work)
    }
    isTrying = false
    next(hasFailed || entries.some(([id]) => open.has(id)))
  }

  function next(pauses: boolean): void {
    if (open.size === 0) {
      pauseMs = FIRST_PAUSE_MS
      return
    }
    if (!pauses) return void round()
    isWaiting = true
    callLater(() => {
      isWaiting = false
      void round()
    }, pauseMs).unref()
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }

  function giveUp(id: string, { tried }: Open<Work>): void {
    open.delete(id)
    tried()
  }

  return insist
}

interface Open<Work> {
  readonly work: Work
  /** By `performance.now()`. */
  readonly until: number
  readonly tried: () => void
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** How much may be open at once, so that an outage does not fill the memory. */
export const MOST_OPEN = 10_000
