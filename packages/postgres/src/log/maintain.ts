import type { Maintenance } from '@oncekey/core'
import { askReadCommitted } from '../sql/read-committed.ts'
import { storeError } from '../sql/store-error.ts'
import { inPortions } from './in-portions.ts'
import { numbersInAdvance } from './leasing.ts'
import type { LogState } from './log-state.ts'
import {
  dropPassed,
  partsOver,
  purgePortions,
  purgeProcessed,
  purgeRedrives,
  purgeResolved,
  purgeTakenLetters,
} from './statements/retention.ts'
import { abandonConsumers, inAdvance, missingConsumers } from './statements/subscriptions.ts'

/**
 * Deletes events, inbox rows, dead letters and redrives whose retention has ended, in portions that
 * block nobody. Returns which consumers are missing and which were abandoned; an abandoned one is
 * told once. So if something cannot be deleted, for lack of a grant say, and there is something to
 * tell, it is told first: the next call begins by throwing the error.
 */
export function maintenance<Tx>(log: LogState<Tx>): () => Promise<Maintenance> {
  const { ask, schema, abandonedAfterMs, missingAfterMs } = log
  let failure: { readonly error: unknown } | undefined

  return async () => {
    if (failure !== undefined) {
      const { error } = failure
      failure = undefined
      throw error
    }
    // Before anything is deleted: events that reached no consumer have to be appended again.
    const [found] = await ask(inAdvance(schema))
    if (found !== undefined) throw numbersInAdvance(schema, found.in_advance)
    const confirmMs = Math.min(missingAfterMs, abandonedAfterMs)
    const silent = await ask(abandonConsumers(schema)(abandonedAfterMs, confirmMs))
    const abandoned = silent.filter((each) => each.is_abandoned === 'true').map(({ name }) => name)
    let missing: Maintenance['missing'] = []
    let dropped = 0
    try {
      missing = (await ask(missingConsumers(schema)(missingAfterMs))).map(({ name, seen_at }) => ({
        consumer: name,
        lastSeenAt: new Date(Number(seen_at)),
      }))
      for (const { part } of await ask(partsOver(schema)(log.retentionMs))) {
        const [row] = await emptied(log, Number(part))
        dropped += Number(row?.dropped ?? 0)
      }
      await purged(log)
    } catch (error) {
      if (abandoned.length + missing.length === 0) throw error
      failure = { error }
    }
    return { dropped, abandoned, missing }
  }
}

async function purged<Tx>(log: LogState<Tx>): Promise<void> {
  const { ask, schema, inboxRetentionMs, resolvedRetentionMs } = log
  await inPortions((limit) => ask(purgeProcessed(schema)(inboxRetentionMs, limit)))
  await inPortions((limit) => ask(purgeResolved(schema)(resolvedRetentionMs, limit)))
  await inPortions((limit) => ask(purgePortions(schema)(resolvedRetentionMs, limit)))
  await inPortions((limit) => ask(purgeTakenLetters(schema)(limit)))
  await inPortions((limit) => ask(purgeRedrives(schema)(resolvedRetentionMs, limit)))
}

/**
 * Empties a partition at READ COMMITTED, where the check runs with a snapshot taken after the lock.
 * At a higher level, which may be the session's default, the snapshot would be older than the lock
 * and miss rows that were committed in between.
 */
async function emptied<Tx>({ client, schema, schemaName, timeoutMs }: LogState<Tx>, part: number) {
  try {
    return await askReadCommitted(client, dropPassed(schema)(part), { timeoutMs })
  } catch (error) {
    throw storeError(error, schemaName)
  }
}
