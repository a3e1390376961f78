import { callLater, endsWithin, type Later } from './durations.ts'

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
  /** Called with work that stays undone: its time is up, too much is open, or it is hopeless. */
  readonly gaveUp: (work: Work) => void
}

/** Does work until it is done. No call rejects. */
export interface Insist<Work> {
  /**
   * Takes work under its id, and tries it until it is done or `forMs` have passed. Resolves after
   * the first try.
   */
  (id: string, work: Work, forMs: number): Promise<void>
  /**
   * Tries the work with this id now, instead of after the pause. Resolves after that try, and at
   * once if there is no such work.
   */
  tried(id: string): Promise<void>
  /**
   * Tries everything now, and waits until nothing is open, at most `withinMs`. Resolves to how much
   * is still open. While it waits, the process stays alive.
   */
  settled(withinMs: number): Promise<number>
}

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
  /** Ids that the next round takes first. */
  const urgent = new Set<string>()
  const idle = new Set<() => void>()
  let isTrying = false
  let waiting: Later | undefined
  let pauseMs = FIRST_PAUSE_MS

  function insist(id: string, work: Work, forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const before = open.get(id)
      if (before !== undefined) answer(before)
      const [oldest] = open
      if (open.size >= mostOpen && oldest !== undefined) giveUp(...oldest)
      open.set(id, { work, until: performance.now() + forMs, tried: [resolve] })
      if (!isTrying && waiting === undefined) void round()
    })
  }

  function tried(id: string): Promise<void> {
    const each = open.get(id)
    if (each === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      each.tried.push(resolve)
      urgent.add(id)
      hurry()
    })
  }

  async function settled(withinMs: number): Promise<number> {
    if (open.size === 0) return 0
    const done = new Promise<void>((resolve) => {
      idle.add(resolve)
    })
    hurry()
    await endsWithin(done, withinMs)
    return open.size
  }

  /** Ends the pause. If a round is under way, the next one follows without a pause. */
  function hurry(): void {
    pauseMs = FIRST_PAUSE_MS
    waiting?.cancel()
    waiting = undefined
    if (!isTrying) void round()
  }

  async function round(): Promise<void> {
    isTrying = true
    const ids = new Set([...urgent, ...open.keys()])
    urgent.clear()
    const entries: [string, Open<Work>][] = []
    for (const id of ids) {
      const each = open.get(id)
      if (each !== undefined && entries.length < mostAtOnce) entries.push([id, each])
    }
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
      const each = open.get(id)
      open.delete(id)
      if (each !== undefined) answer(each)
    }
    for (const [id, each] of entries) {
      if (open.get(id) !== each) continue
      open.delete(id)
      // Goes to the back, so that work that can be done does not wait for work that cannot.
      if (performance.now() < each.until) open.set(id, each)
      else gaveUp(each.work)
      answer(each)
    }
    isTrying = false
    next(hasFailed || entries.some(([id]) => open.has(id)))
  }

  function next(pauses: boolean): void {
    if (open.size === 0) {
      pauseMs = FIRST_PAUSE_MS
      for (const resolve of idle) resolve()
      idle.clear()
      return
    }
    if (!pauses || urgent.size > 0) return void round()
    waiting = callLater(() => {
      waiting = undefined
      void round()
    }, pauseMs)
    waiting.unref()
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
  }

  function giveUp(id: string, each: Open<Work>): void {
    open.delete(id)
    gaveUp(each.work)
    answer(each)
  }

  return Object.assign(insist, { tried, settled })
}

/** Tells everybody who waits for a try that there was one. */
function answer({ tried }: Open<unknown>): void {
  for (const resolve of tried.splice(0)) resolve()
}

interface Open<Work> {
  readonly work: Work
  /** By `performance.now()`. */
  readonly until: number
  /** Called after the next try. */
  readonly tried: (() => void)[]
}

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** The default of `mostOpen`. */
export const MOST_OPEN = 10_000
