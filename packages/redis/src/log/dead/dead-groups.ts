import type { DeadLetterGroup } from '@oncekey/core'
import type { DeadOne } from './dead-place.ts'

/**
 * Groups dead letters by consumer and kind of error: the largest groups first, at most 100. If
 * there are more than 10,000 letters, only the oldest 10,000 are read, because alerts ask again and
 * again.
 */
export async function deadGroups(dead: AsyncIterable<DeadOne>): Promise<DeadLetterGroup[]> {
  const groups = new Map<string, DeadLetterGroup>()
  let looked = 0
  for await (const { letter } of dead) {
    looked += 1
    if (looked > MOST) break
    const fingerprint = letter.error?.fingerprint ?? ''
    const name = JSON.stringify([letter.origin, fingerprint])
    const deadAt = letter.deadAt ?? new Date(0)
    const known = groups.get(name)
    groups.set(name, {
      origin: letter.origin,
      fingerprint,
      count: (known?.count ?? 0) + 1,
      oldestAt: known?.oldestAt ?? deadAt,
      newestAt: deadAt,
      sample: {
        id: letter.id,
        name: letter.error?.name ?? '',
        message: letter.error?.message ?? '',
      },
    })
  }
  return [...groups.values()].sort((one, other) => other.count - one.count).slice(0, 100)
}

const MOST = 10_000
