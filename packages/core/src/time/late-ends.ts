import type { Completion } from '../contracts/store.ts'
import type { Insisting } from './insist.ts'

/** How long a store sends the end of an attempt again: an hour, as it gives a claim back. */
export const ENDS_SENT_FOR_MS = 3_600_000

/**
 * How many ends a store sends at once and keeps at most. With {@link MOST_LATE_BYTES} each, this is
 * 64 MiB of memory in an outage.
 */
export const LATE_ENDS: Pick<Insisting<unknown>, 'mostAtOnce' | 'mostOpen'> = {
  mostAtOnce: 16,
  mostOpen: 256,
}

/**
 * A completion as it is kept in memory for as long as the server is away: a large response without
 * its body, because its key must not run again either.
 */
export function completionForLater(completion: Completion): Completion {
  const { response } = completion
  if ((response.body?.length ?? 0) <= MOST_LATE_BYTES) return completion
  return { ...completion, response: { ...response, headers: [], body: null, seal: null } }
}

const MOST_LATE_BYTES = 262_144
