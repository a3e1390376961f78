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
 * block nobody.
 */
export async function maintainLog<Tx>(log: LogState<Tx>): Promise<Maintenance> {
  const { ask, schema, abandonedAfterMs, missingAfterMs } = log
  // Before anything is deleted: events that reached no consumer have to be appended again.
  const [found] = await ask(inAdvance(schema))
  if (found !== undefined) throw numbersInAdvance(schema, found.in_advance)
  const confirmMs = Math.min(missingAfterMs, abandonedAfterMs)
  const silent = await ask(abandonConsumers(schema)(abandonedAfterMs, confirmMs))
  const missing = await ask(missingConsumers(schema)(missingAfterMs))

  let dropped = 0
  for (const { part } of await ask(partsOver(schema)(log.retentionMs))) {
    const [row] = await emptied(log, Number(part))
    dropped += Number(row?.dropped ?? 0)
  }
  await inPortions((limit) => ask(purgeProcessed(schema)(log.inboxRetentionMs, limit)))
  await inPortions((limit) => ask(purgeResolved(schema)(log.resolvedRetentionMs, limit)))
  await inPortions((limit) => ask(purgePortions(schema)(log.resolvedRetentionMs, limit)))
  await inPortions((limit) => ask(purgeTakenLetters(schema)(log.resolvedRetentionMs, limit)))
  await inPortions((limit) => ask(purgeRedrives(schema)(log.resolvedRetentionMs, limit)))

  return {
    dropped,
    abandoned: silent.filter((each) => each.is_abandoned === 'true').map(({ name }) => name),
    missing: missing.map(({ name, seen_at }) => ({
      consumer: name,
      lastSeenAt: new Date(Number(seen_at)),
    })),
  }
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
