import { callLater } from './durations.ts'

/** How to do work that must not be lost while a server is away. */
export interface Insisting<Work> {
  /**
   * Does some of the work and returns the ids of the work that is done. The rest is tried again; if
   * `attempt` rejects, all of it is.
   */
  readonly attempt: (works: ReadonlyMap<string, Work>) => Promise<Iterable<string>>
  /** Whether an error means that no attempt can succeed any more. All work is then given up. */
  readonly isHopeless: (error: unknown) => boolean
  /** How many pieces of work one attempt gets at most. */
  readonly mostAtOnce: number
  /** How much may be open at once, so that an outage does not fill the memory. @default 10000 */
  readonly mostOpen?: number
  /** Called with work that stays undone, because its time is up or too much is open. */
  readonly gaveUp: (work: Work) => void
}

/**
 * Takes work under its id, and tries it until it is done or `forMs` have passed. Resolves after the
 * first try, and never rejects.
 */
export type Insist<Work> = (id: string, work: Work, forMs: number) => Promise<void>

/**
 * Does work until it is done, or until its time is up. All work shares one timer, and there is one
 * attempt at a time, with longer and longer pauses between attempts that fail. The timer does not
 * keep the process alive: a process that exits leaves the rest undone. If there is more work than
 * `mostOpen`, the oldest is given up.
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
  const { attempt, isHopeless, mostAtOnce, mostOpen = MOST_OPEN, gaveUp } = options
  const open = new Map<string, Open<Work>>()
  let isTrying = false
  let isWaiting = false
  let pauseMs = FIRST_PAUSE_MS

  function insist(id: string, work: Work, forMs: number): Promise<void> {
    return new Promise((resolve) => {
      open.get(id)?.tried()
      const [oldest] = open
      if (open.size >= mostOpen && oldest !== undefined) {
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
      // Goes to the back, so that work that can be done does not wait for work that cannot.
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
/** The default of `mostOpen`. */
export const MOST_OPEN = 10_000
