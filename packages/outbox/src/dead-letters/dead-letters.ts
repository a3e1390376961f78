import type {
  Act,
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterSource,
  DeadLetterStats,
  Redriven,
  Resolution,
  RetryingFilter,
} from '@oncekey/core'
import { OptionsError, sleep } from '@oncekey/core'

export interface RedriveOptions {
  /** Only counts what would be redriven. @default false */
  readonly preview?: boolean
  /** How many are redriven per second. @default 50 */
  readonly ratePerSecond?: number
  /** The most to redrive. @default all that match */
  readonly limit?: number
  /** Stops the redrive between two portions. */
  readonly signal?: AbortSignal
  /** Called after each portion. */
  readonly onProgress?: (progress: { readonly redriven: number; readonly matched: number }) => void
}

export interface RedriveResult extends Redriven {
  /** How many matched when the redrive began. */
  readonly matched: number
  readonly preview: boolean
}

/** What an operator can see of dead letters and do about them. */
export interface DeadLetters {
  /** Lists dead letters, oldest first. */
  list(
    filter?: DeadLetterFilter,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<DeadLetterPage>
  /** Lists failed deliveries that will be retried, each with the time of its next attempt. */
  retrying(
    filter?: RetryingFilter,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<DeadLetterPage>
  /** One dead letter with its event and every attempt: when, how long, which error. */
  get(id: string): Promise<DeadLetterDetail | undefined>
  /** Counts what a redrive with the same filter would take, with a sample. */
  preview(
    filter: DeadLetterFilter,
  ): Promise<{ readonly matched: number; readonly sample: DeadLetterPage['items'] }>
  /**
   * Puts dead letters back, oldest first, under the event ids they had. Throws `OptionsError` for a
   * filter on `retired` ones.
   */
  redrive(filter: DeadLetterFilter, options?: RedriveOptions): Promise<RedriveResult>
  /**
   * Marks dead letters as never to be delivered. The note says why; an {@link Act} also says who, for
   * the audit trail.
   */
  discard(ids: readonly string[], note: string | Act): Promise<readonly Resolution[]>
  stats(): Promise<DeadLetterStats>
}

/**
 * An operator's access to the dead letters of a source: `log.deadLetters`, or those of webhooks or
 * sagas.
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
    retrying: (filter = {}, page = {}) => source.listRetrying(filter, { limit: 100, ...page }),
    get: (id) => source.get(id),
    async preview(filter) {
      const [matched, { items }] = await Promise.all([
        source.count(filter),
        source.list(filter, { limit: 10 }),
      ])
      return { matched, sample: items }
    },
    redrive: (filter, options = {}) => redrive(source, filter, options),
    async discard(ids, given) {
      const { note, ...by } = typeof given === 'string' ? { note: given } : given
      if (typeof note !== 'string' || note.trim() === '' || note.includes('\0')) {
        throw new OptionsError(
          "discard: note must be text without NUL that says why, such as discard(ids, 'customer closed the account').",
        )
      }
      return source.discard(ids, note, by)
    },
    stats: () => source.stats(),
  }
}

async function redrive(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  options: RedriveOptions,
): Promise<RedriveResult> {
  if (filter.retired === true) {
    throw new OptionsError(
      'redrive: a retired consumer cannot take its dead letters back. Append such an event ' +
        'again with append(), or discard it.',
    )
  }
  const { preview = false, ratePerSecond = 50, limit = Number.POSITIVE_INFINITY, signal } = options
  if (!(Number.isFinite(ratePerSecond) && ratePerSecond > 0)) {
    throw new OptionsError(`redrive: ratePerSecond must be a number above 0, not ${ratePerSecond}.`)
  }
  const redriven: string[] = []
  const refused = new Map<string, Resolution>()
  const matched = await source.count(filter)
  if (preview) return { matched, preview, redriven, refused: [] }

  const portion = Math.max(1, Math.floor(ratePerSecond / 10))
  const portions = filter.ids === undefined ? listed(source, filter) : named(filter.ids)
  let left = Math.min(limit, Math.max(matched, filter.ids?.length ?? 0))
  while (left > 0 && signal?.aborted !== true) {
    const startedAt = performance.now()
    const ids = await portions.next(Math.min(portion, left))
    if (ids === undefined) break
    const done = await source.redrive({ ...filter, ids }, { limit: Math.min(portion, left) })
    redriven.push(...done.redriven)
    for (const id of done.redriven) refused.delete(id)
    const hasNewRefusal = done.refused.some(({ id }) => !refused.has(id))
    for (const each of done.refused) refused.set(each.id, each)
    options.onProgress?.({ redriven: redriven.length, matched })
    portions.over(finalIn(done))
    // Ids may be refused again and again: stops when there is nothing new.
    if (filter.ids !== undefined && done.redriven.length === 0 && !hasNewRefusal) break
    left -= done.redriven.length
    if (left > 0)
      await sleepAtRate((portion * 1000) / ratePerSecond - (performance.now() - startedAt))
  }
  return { matched, preview, redriven, refused: [...refused.values()] }
}

/** What is redriven next. */
interface Portions {
  /** `undefined`: there is no more. */
  next(most: number): Promise<readonly string[] | undefined>
  /** These have a final outcome. */
  over(ids: ReadonlySet<string>): void
}

/** A list goes on where its last page ended, so what a filter leaves out is examined once. */
function listed(source: DeadLetterSource, filter: DeadLetterFilter): Portions {
  let after: string | undefined
  let isLast = false
  return {
    async next(limit) {
      while (!isLast) {
        const page = await source.list(filter, { limit, ...(after !== undefined && { after }) })
        after = page.next
        isLast = after === undefined
        if (page.items.length > 0) return page.items.map(({ id }) => id)
      }
      return undefined
    },
    over() {},
  }
}

/** All that are left each time: which of them may be redriven first is for the source to say. */
function named(ids: readonly string[]): Portions {
  let left = ids
  return {
    next: async () => (left.length === 0 ? undefined : left),
    // Does not ask again for these: they would be reported a second time.
    over(final) {
      left = final.size === 0 ? [] : left.filter((id) => !final.has(id))
    },
  }
}

/** The ids with a final outcome. A `not-matched` one may only be waiting for the next portion. */
function finalIn({ redriven, refused }: Redriven): Set<string> {
  const over = refused.filter(({ outcome }) => outcome !== 'not-matched')
  return new Set([...redriven, ...over.map(({ id }) => id)])
}

async function sleepAtRate(ms: number): Promise<void> {
  if (ms > 0) await sleep(ms)
}
