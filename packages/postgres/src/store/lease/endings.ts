import type { Patience } from '../patience.ts'
import type { AwaitedAttempt } from '../statements/ended-attempts.ts'
import type { StoreState } from '../store-state.ts'

/**
 * Who in this process waits for which attempt to end. Attempts of this process are heard of directly.
 * Those of others are asked for, all of them by one statement at a time, whose pace does not depend on
 * how many wait: so waiting takes no more than one connection, and that only now and then.
 */
export interface Endings {
  /** From now on an end of this key's attempt in this process is noticed. */
  watch(id: string): Watch
  /** An attempt of this process has the key, and will be heard of. */
  begun(id: string, number: number): void
  ended(id: string, number: number): void
}

/** One claim's waiting. */
export interface Watch {
  /** Ends before this do not count any more: the store is about to be asked. */
  reset(): void
  /** Resolves at the next end since `reset`, when the lease is over, or when there is no patience left. */
  next(attempt: AwaitedAttempt, leaseLeftMs: number, patience: Patience): Promise<void>
  stop(): void
}

type State<Tx> = Pick<StoreState<Tx>, 'acquireTimeoutMs' | 'client' | 'readers' | 'statements'>

export function endings<Tx>(store: State<Tx>): Endings {
  const watches = new Map<string, Set<() => void>>()
  /** What runs in this process, by key: the number of its attempt. */
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
        const timer = setTimeout(noticed, Math.min(leaseLeftMs, LONGEST_TIMEOUT_MS))
        await patience.outlasts(notice.promise)
        clearTimeout(timer)
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

/** Asks for the ends of other processes' attempts, for as long as somebody waits for one. */
function poll<Tx>({ acquireTimeoutMs, client, readers, statements }: State<Tx>): {
  /** Calls `ended` once the attempt is over; returns what to call when nobody waits any more. */
  await(attempt: AwaitedAttempt, ended: () => void): () => void
} {
  const waiting = new Map<
    string,
    { readonly attempt: AwaitedAttempt; readonly who: Set<() => void> }
  >()
  let paceMs = FIRST_PACE_MS
  let timer: ReturnType<typeof setTimeout> | undefined
  let isAsking = false

  function schedule(): void {
    if (isAsking || timer !== undefined || waiting.size === 0) return
    // Processes that wait for the same attempt shall not ask at the same moment.
    timer = setTimeout(() => void ask(), paceMs * (0.75 + Math.random() / 2))
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
      for (const [id, each] of attempts) {
        if (waiting.get(id) !== each) continue
        waiting.delete(id)
        if (ended.has(id)) for (const tell of each.who) tell()
        // To the back of the queue.
        else waiting.set(id, each)
      }
    } catch {
      // Who waits asks for the truth at the end of its patience, and hears then what is wrong.
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
        clearTimeout(timer)
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

/** Milliseconds. */
const FIRST_PACE_MS = 25
const LONGEST_PACE_MS = 250
const MOST_AT_ONCE = 1_000

/** Beyond it `setTimeout` fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1
