import type {
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterSource,
  DeadLetterStats,
  Redriven,
  Resolution,
} from '@oncekey/core'
import { OptionsError } from '@oncekey/core'

export interface RedriveOptions {
  /** Only says what would be redriven. @default false */
  readonly preview?: boolean
  /** How many are put back in a second. @default 50 */
  readonly ratePerSecond?: number
  /** How many at most. @default all that match */
  readonly limit?: number
  /** Stops it between two portions. */
  readonly signal?: AbortSignal
  /** Called after each portion. */
  readonly onProgress?: (progress: { readonly redriven: number; readonly matched: number }) => void
}

export interface RedriveResult extends Redriven {
  /** How many matched when it began. */
  readonly matched: number
  readonly preview: boolean
}

/** An operator's view of what could not be delivered. */
export interface DeadLetters {
  /** The oldest first. */
  list(
    filter?: DeadLetterFilter,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<DeadLetterPage>
  /** With the event and every attempt: when, how long, what error. */
  get(id: string): Promise<DeadLetterDetail | undefined>
  /** How many match: what a redrive with the same filter takes. */
  preview(
    filter: DeadLetterFilter,
  ): Promise<{ readonly matched: number; readonly sample: DeadLetterPage['items'] }>
  /** Puts them back, the oldest first, with the event ids they had. */
  redrive(filter: DeadLetterFilter, options?: RedriveOptions): Promise<RedriveResult>
  /** Marks them as never to be delivered. */
  discard(ids: readonly string[], note: string): Promise<readonly Resolution[]>
  stats(): Promise<DeadLetterStats>
}

/**
 * What to do about dead letters, whoever keeps them: `log.deadLetters`, those of webhooks, of sagas.
 *
 * @example
 * ```ts
 * const dead = deadLetters(log.deadLetters)
 * await dead.redrive({ origin: 'email', deadAfter: deployedAt }, { ratePerSecond: 20 })
 * ```
 */
export function deadLetters(source: DeadLetterSource): DeadLetters {
  return {
    list: (filter = {}, page = {}) => source.list(filter, { limit: 100, ...page }),
    get: (id) => source.get(id),
    async preview(filter) {
      const [matched, { items }] = await Promise.all([
        source.count(filter),
        source.list(filter, { limit: 10 }),
      ])
      return { matched, sample: items }
    },
    redrive: (filter, options = {}) => redrive(source, filter, options),
    async discard(ids, note) {
      if (typeof note !== 'string' || note.trim() === '') {
        throw new OptionsError(
          "discard: a note says why, for whoever looks later: discard(ids, 'customer closed the account').",
        )
      }
      return source.discard(ids, note)
    },
    stats: () => source.stats(),
  }
}

async function redrive(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  options: RedriveOptions,
): Promise<RedriveResult> {
  const { preview = false, ratePerSecond = 50, limit = Number.POSITIVE_INFINITY, signal } = options
  if (!(Number.isFinite(ratePerSecond) && ratePerSecond > 0)) {
    throw new OptionsError(`redrive: ratePerSecond must be a number above 0, not ${ratePerSecond}.`)
  }
  const redriven: string[] = []
  const refused = new Map<string, Resolution>()
  const matched = await source.count(filter)
  if (preview) return { matched, preview, redriven, refused: [] }

  const portion = Math.max(1, Math.floor(ratePerSecond / 10))
  let { ids } = filter
  let left = Math.min(limit, Math.max(matched, ids?.length ?? 0))
  while (left > 0 && ids?.length !== 0 && signal?.aborted !== true) {
    const startedAt = performance.now()
    const asked = ids === undefined ? filter : { ...filter, ids }
    const done = await source.redrive(asked, { limit: Math.min(portion, left) })
    redriven.push(...done.redriven)
    for (const id of done.redriven) refused.delete(id)
    for (const each of done.refused) refused.set(each.id, each)
    options.onProgress?.({ redriven: redriven.length, matched })
    const settled = settledBy(done)
    if (settled.size === 0) break
    // What is settled is not asked for again: it would be told once more, as what it has become.
    ids = ids?.filter((id) => !settled.has(id))
    left -= done.redriven.length
    if (left > 0) await pause((portion * 1000) / ratePerSecond - (performance.now() - startedAt))
  }
  return { matched, preview, redriven, refused: [...refused.values()] }
}

/** Those of which there is nothing more to say; the others may only wait for the next portion. */
function settledBy({ redriven, refused }: Redriven): Set<string> {
  const over = refused.filter(({ outcome }) => outcome !== 'not-matched')
  return new Set([...redriven, ...over.map(({ id }) => id)])
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
}
