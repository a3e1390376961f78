import { callLater } from '@oncekey/core'
import type { Takable } from '../statements/work.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'
import type { ResolvedOptions } from './runner-options.ts'

/**
 * Suspects are runs that may be what ends their processes: more of them than `mostLost` have died
 * in a row while they drove the run. A process drives one at a time. For the time of a lease it
 * begins nothing beside it, so that a death points at one run. From its next move on, a run is no
 * suspect any more.
 */
export interface Suspects {
  /** This process drives a run, which has lost so many owners since its last move. */
  driven(run: { readonly id: string; readonly lost: number }): void
  /** The run has made a move, or is not driven here any more. */
  cleared(id: string): void
  /** Resolves when other runs may be begun. */
  quiet(): Promise<void>
  /** Asks a question that takes runs, with which of them it may take. */
  asking<T>(ask: (takable: Takable) => Promise<T>): Promise<T>
}

/** `driving` are the runs that this process drives. */
export function suspects(
  { maxLost, leaseMs }: Pick<ResolvedOptions<unknown>, 'maxLost' | 'leaseMs'>,
  driving: ReadonlyMap<string, unknown>,
  executeLimit: ConcurrencyLimit,
): Suspects {
  // At least one death counts in which the run was alone. After a single one no run is suspected,
  // if `maxLost` leaves room for that: processes die of much else.
  const mostLost = Math.min(1, maxLost - 2)
  const underWay = new Set<string>()
  let isAsked = false
  let hold: Hold | undefined

  return {
    driven({ id, lost }) {
      if (lost <= mostLost) return
      underWay.add(id)
      hold ??= holdBack(executeLimit, leaseMs)
    },
    cleared(id) {
      if (!underWay.delete(id) || underWay.size > 0) return
      hold?.end()
      hold = undefined
    },
    quiet: () => hold?.ended ?? Promise.resolve(),
    async asking(ask) {
      // Two questions at once would bring two suspects.
      if (isAsked || underWay.size > 0) return await ask({ mostLost, suspectWaitMs: null })
      isAsked = true
      try {
        // What is under way could be to blame for a death. So a suspect is left to an idle process
        // for the time of a lease; there may be none.
        return await ask({ mostLost, suspectWaitMs: driving.size === 0 ? 0 : leaseMs })
      } finally {
        // Until then, whoever asked has said what it drives.
        setImmediate(() => {
          isAsked = false
        })
      }
    },
  }
}

/** The callers of `execute` and the loop wait meanwhile. */
interface Hold {
  readonly ended: Promise<void>
  end(): void
}

/** Holds back what is new, for `ms` at most: a step may take much longer, or wait for it. */
function holdBack(executeLimit: ConcurrencyLimit, ms: number): Hold {
  let resolve = () => {}
  const ended = new Promise<void>((resolved) => {
    resolve = resolved
  })
  const end = () => {
    timer.cancel()
    executeLimit.hold(false)
    resolve()
  }
  const timer = callLater(end, ms)
  executeLimit.hold(true)
  return { ended, end }
}

/** Takes runs whatever they have lost. */
export const ANY: Takable = { mostLost: 2 ** 31 - 1, suspectWaitMs: null }
