import { deferred } from './deferred.ts'
import { callLater, endsWithin, type Later } from './durations.ts'

/** How to do work that must not be lost while a server is away. */
export interface Insisting<Work> {
  /**
   * Tries the works in their order, one of them at least. What is not done is tried again; if
   * `attempt` rejects, all of it is.
   */
  readonly attempt: (works: ReadonlyMap<string, Work>) => Promise<Tries>
  /** Whether an error means that no attempt can succeed any more. All work is then given up. */
  readonly isHopeless: (error: unknown) => boolean
  /** How many pieces of work one attempt gets at most. */
  readonly mostAtOnce: number
  /** How much may be open at once, so that an outage does not fill the memory. @default 10000 */
  readonly mostOpen?: number
  /** Called with work that stays undone: its time is up, too much is open, or it is hopeless. */
  readonly gaveUp: (work: Work) => void
}

/** What an attempt did, by the ids of the works. */
export interface Tries {
  readonly done: Iterable<string>
  /** Work that the attempt did not get to: who waits for a try of it waits on. @default none */
  readonly untried?: Iterable<string>
}

/** Does work until it is done. No call rejects. */
export interface Insist<Work> {
  /**
   * Takes work under its id, and tries it until it is done or `forMs` have passed. Resolves after
   * the first try. It replaces work with the same id: who waits for a try of that gets one of this.
   */
  (id: string, work: Work, forMs: number): Promise<void>
  /**
   * Tries the work with this id now, instead of after the pause. Resolves after a try that began
   * after the call; `undefined` if there is no such work.
   */
  tried(id: string): Promise<void> | undefined
  /**
   * Tries everything now, and waits until nothing is open, at most `withinMs`. Resolves to how much
   * is still open. While it waits, the process stays alive and pauses are a second at most.
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
 *   attempt: async (names) => {
 *     await forget([...names.values()])
 *     return { done: names.keys() }
 *   },
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
  /** Whether somebody asked for a round while one was under way. */
  let isHurried = false
  let waiting: Later | undefined
  let pauseMs = FIRST_PAUSE_MS

  function insist(id: string, work: Work, forMs: number): Promise<void> {
    return new Promise((resolve) => {
      const before = open.get(id)
      const [oldest] = open
      if (before === undefined && open.size >= mostOpen && oldest !== undefined) giveUp(...oldest)
      const tried = [...(before?.tried ?? []), resolve]
      open.set(id, { work, until: performance.now() + forMs, tried })
      if (!isTrying && waiting === undefined) void round()
    })
  }

  function tried(id: string): Promise<void> | undefined {
    const each = open.get(id)
    if (each === undefined) return undefined
    return new Promise((resolve) => {
      each.tried.push(resolve)
      urgent.add(id)
      hurry()
    })
  }

  async function settled(withinMs: number): Promise<number> {
    if (open.size === 0) return 0
    const { promise, resolve } = deferred<void>()
    idle.add(resolve)
    hurry()
    await endsWithin(promise, withinMs)
    idle.delete(resolve)
    return open.size
  }

  /** Ends the pause. If a round is under way, the next one follows without a pause. */
  function hurry(): void {
    pauseMs = FIRST_PAUSE_MS
    waiting?.cancel()
    waiting = undefined
    if (isTrying) isHurried = true
    else void round()
  }

  async function round(): Promise<void> {
    isTrying = true
    const wasUrgent = new Set(urgent)
    const taken = new Map<string, Open<Work>>()
    for (const ids of [urgent, open.keys()]) {
      for (const id of ids) {
        if (taken.size === mostAtOnce) break
        const each = open.get(id)
        if (each !== undefined) taken.set(id, each)
      }
    }
    const entries = [...taken]
    for (const [id] of entries) urgent.delete(id)
    // Who comes while the attempt is under way waits for the next one: this one may have begun, and
    // fail, because of an outage that is over by then.
    const whoWaits = new Map(entries.map(([id, { tried }]) => [id, tried.length]))
    let tries: Tries = NONE_DONE
    let hasFailed = false
    try {
      tries = await attempt(new Map(entries.map(([id, { work }]) => [id, work])))
    } catch (error) {
      hasFailed = true
      if (isHopeless(error)) for (const entry of [...open]) giveUp(...entry)
    }
    const done = new Set(tries.done)
    const untried = new Set(tries.untried)
    for (const [id, each] of entries) {
      const isReplaced = open.get(id) !== each
      if (!isReplaced && done.has(id)) close(id, each)
      else if (!isReplaced && performance.now() >= each.until) giveUp(id, each)
      else if (isReplaced || untried.has(id)) {
        if (wasUrgent.has(id) && open.has(id)) urgent.add(id)
      } else {
        // Goes to the back, so that work that can be done does not wait for work that cannot.
        open.delete(id)
        open.set(id, each)
        answer(each, whoWaits.get(id))
      }
    }
    isTrying = false
    next(hasFailed || entries.some(([id, each]) => open.get(id) === each))
  }

  function next(pauses: boolean): void {
    const isAtOnce = !pauses || urgent.size > 0 || isHurried
    isHurried = false
    if (open.size === 0) {
      pauseMs = FIRST_PAUSE_MS
      for (const resolve of idle) resolve()
      idle.clear()
      return
    }
    if (isAtOnce) return void round()
    waiting = callLater(() => {
      waiting = undefined
      void round()
    }, pauseMs)
    waiting.unref()
    pauseMs = Math.min(pauseMs * 2, idle.size > 0 ? LONGEST_PAUSE_WAITED_FOR_MS : LONGEST_PAUSE_MS)
  }

  function giveUp(id: string, each: Open<Work>): void {
    gaveUp(each.work)
    close(id, each)
  }

  function close(id: string, each: Open<Work>): void {
    open.delete(id)
    urgent.delete(id)
    answer(each)
  }

  return Object.assign(insist, { tried, settled })
}

/** Tells who waits for a try that there was one: everybody, or the first `count`. */
function answer({ tried }: Open<unknown>, count = tried.length): void {
  for (const resolve of tried.splice(0, count)) resolve()
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
/** While somebody waits, usually a process that is about to exit. */
const LONGEST_PAUSE_WAITED_FOR_MS = 1_000
const NONE_DONE: Tries = { done: [] }
/** The default of `mostOpen`. */
export const MOST_OPEN = 10_000
