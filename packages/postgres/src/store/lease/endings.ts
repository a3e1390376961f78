import { callLater, type Later } from '@oncekey/core'
import type { Patience } from '../attempt/patience.ts'
import type { StoreState } from '../attempt/store-state.ts'
import { type AwaitedAttempt, MOST_ENDED } from '../statements/leases.ts'

/**
 * Tells waiting claims when an attempt ends. Attempts of this process report their end directly.
 * For attempts of other processes the database is polled, with one statement at a time for all of
 * them, at a pace that does not depend on how many wait. So waiting takes one connection at most,
 * and only from time to time.
 */
export interface Endings {
  /** Starts noticing ends of this key's attempts. */
  watch(id: string): Watch
  /** Tells that an attempt of this process holds the key. It will report its own end. */
  begun(id: string, number: number): void
  ended(id: string, number: number): void
}

/** The wait of one claim. */
export interface Watch {
  /** Forgets the ends seen so far. Call it right before the store is asked. */
  reset(): void
  /**
   * Resolves at the first end since `reset`, when the lease has ended, or when patience runs out.
   */
  next(attempt: AwaitedAttempt, leaseLeftMs: number, patience: Patience): Promise<void>
  stop(): void
}

type State<Tx> = Pick<StoreState<Tx>, 'acquireTimeoutMs' | 'client' | 'readers' | 'statements'>

export function endings<Tx>(store: State<Tx>): Endings {
  const watches = new Map<string, Set<() => void>>()
  /** The attempts that run in this process: their numbers by key. */
  const here = new Map<string, number>()
  const elsewhere = poll(store)

  function watch(id: string): Watch {
    let notice = deferredEnd()
    const noticed = (): void => notice.end()
    const watching = watches.get(id) ?? new Set()
    watches.set(id, watching.add(noticed))

    return {
      reset() {
        notice = deferredEnd()
      },
      async next(attempt, leaseLeftMs, patience) {
        const stop = here.get(id) === attempt.number ? undefined : elsewhere.await(attempt, noticed)
        const timer = callLater(noticed, leaseLeftMs)
        await patience.outlasts(notice.promise)
        timer.cancel()
        stop?.()
      },
      stop() {
        watching.delete(noticed)
        if (watching.size === 0 && watches.get(id) === watching) watches.delete(id)
      },
    }
  }

  return {
    watch,
    begun: (id, number) => void here.set(id, number),
    ended(id, number) {
      if (here.get(id) === number) here.delete(id)
      for (const notice of watches.get(id) ?? []) notice()
    },
  }
}

/** Polls for the ends of other processes' attempts while somebody waits for one. */
function poll<Tx>({ acquireTimeoutMs, client, readers, statements }: State<Tx>): {
  /** Calls `ended` once the attempt is over. The returned function stops the waiting. */
  await(attempt: AwaitedAttempt, ended: () => void): () => void
} {
  const waiting = new Map<
    string,
    { readonly attempt: AwaitedAttempt; readonly who: Set<() => void> }
  >()
  let paceMs = FIRST_PACE_MS
  let timer: Later | undefined
  let isAsking = false

  function schedule(): void {
    if (isAsking || timer !== undefined || waiting.size === 0) return
    // Jitter, so that processes that wait for the same attempt do not ask at the same moment.
    timer = callLater(() => void ask(), paceMs * (0.75 + Math.random() / 2))
  }

  async function ask(): Promise<void> {
    timer = undefined
    isAsking = true
    paceMs = Math.min(paceMs * 1.5, LONGEST_PACE_MS)
    const attempts = [...waiting].slice(0, MOST_AT_ONCE)
    const reader = await readers.take({ timeoutMs: acquireTimeoutMs })
    try {
      if (reader === undefined) return
      const statement = statements.endedAttempts(
        attempts.map(([id, { attempt }]) => ({ ...attempt, id })),
      )
      const [row] = await client.query(statement, { timeoutMs: acquireTimeoutMs })
      const ended = new Set<string>(JSON.parse(row?.ended ?? ''))
      if (ended.size === MOST_ENDED) paceMs = FIRST_PACE_MS
      for (const [id, each] of attempts) {
        if (waiting.get(id) !== each) continue
        waiting.delete(id)
        if (ended.has(id)) for (const tell of each.who) tell()
        // Goes to the back of the queue, so that the next poll asks for others.
        else waiting.set(id, each)
      }
    } catch {
      // A waiter whose time is over reads the record once more, and that read reports what is
      // wrong.
      paceMs = LONGEST_PACE_MS
    } finally {
      reader?.()
      isAsking = false
      schedule()
    }
  }

  return {
    await(attempt, ended) {
      const id = `${attempt.number}:${attempt.id}`
      const entry = waiting.get(id) ?? { attempt, who: new Set() }
      waiting.set(id, entry)
      entry.who.add(ended)
      paceMs = FIRST_PACE_MS
      schedule()
      return () => {
        entry.who.delete(ended)
        if (entry.who.size > 0) return
        if (waiting.get(id) === entry) waiting.delete(id)
        if (waiting.size > 0) return
        timer?.cancel()
        timer = undefined
      }
    },
  }
}

function deferredEnd(): { readonly promise: Promise<void>; end(): void } {
  let end = (): void => {}
  const promise = new Promise<void>((resolve) => {
    end = resolve
  })
  return { promise, end: () => end() }
}

/** The shortest and the longest pause between two polls. Milliseconds. */
const FIRST_PACE_MS = 25
const LONGEST_PACE_MS = 250
const MOST_AT_ONCE = 1_000
