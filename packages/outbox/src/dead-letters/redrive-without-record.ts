import {
  type DeadLetterFilter,
  type DeadLetterSource,
  type Redriven,
  type Resolution,
  sleep,
} from '@oncekey/core'
import type { RedriveOptions, RedriveResult } from './redrive-options.ts'

/** For a source that keeps no redrives on record: portions in this process, which end with it. */
export async function redriveWithoutRecord(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  options: RedriveOptions,
): Promise<RedriveResult> {
  const { ratePerSecond = 50, limit = Number.POSITIVE_INFINITY, signal, actor, note } = options
  const by = { ...(actor !== undefined && { actor }), ...(note !== undefined && { note }) }
  const redriven: string[] = []
  const refused = new Map<string, Resolution>()
  const matched = await source.count(filter)

  const portion = Math.max(1, Math.floor(ratePerSecond / 10))
  const portions = filter.ids === undefined ? listed(source, filter) : named(filter.ids)
  let left = Math.min(limit, Math.max(matched, filter.ids?.length ?? 0))
  while (left > 0 && signal?.aborted !== true) {
    const startedAt = performance.now()
    const ids = await portions.next(Math.min(portion, left))
    if (ids === undefined) break
    const pace = { limit: Math.min(portion, left), ...by }
    const done = await source.redrive({ ...filter, ids }, pace)
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
  return { matched, preview: false, redriven, refused: [...refused.values()] }
}

/** Chooses the ids of each portion. */
interface Portions {
  /** `undefined`: there is no more. */
  next(most: number): Promise<readonly string[] | undefined>
  /** Told after each portion: these ids are done and must not be chosen again. */
  over(ids: ReadonlySet<string>): void
}

/**
 * Each page of the list continues where the last one ended, so that a letter outside the filter is
 * examined once.
 */
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
