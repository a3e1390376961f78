import {
  type DeadLetterFilter,
  type DeadLetterSource,
  type Redriven,
  type Resolution,
  sleep,
} from '@oncekey/core'

/**
 * Redrives through a dashboard, by its acts: portion after portion at a rate, while this process
 * lives. Named letters are one portion, in which each is an act of its own.
 */
export async function redriveThroughDashboard(
  source: DeadLetterSource,
  filter: DeadLetterFilter,
  options: {
    readonly ratePerSecond: number
    readonly limit: number
    readonly signal: AbortSignal
    onProgress(progress: { readonly redriven: number }): void
  },
): Promise<Redriven> {
  const { ratePerSecond, limit, signal, onProgress } = options
  const redriven: string[] = []
  const refused = new Map<string, Resolution>()
  const portion = filter.ids?.length ?? Math.max(1, Math.floor(ratePerSecond / 10))
  while (redriven.length < limit && !signal.aborted) {
    const most = Math.min(portion, limit - redriven.length)
    const done = await source.redrive(filter, { limit: most })
    redriven.push(...done.redriven)
    for (const each of done.refused) refused.set(each.id, each)
    onProgress({ redriven: redriven.length })
    if (filter.ids !== undefined || done.redriven.length === 0) break
    await sleep((done.redriven.length * 1_000) / ratePerSecond, signal)
  }
  return { redriven, refused: [...refused.values()] }
}
