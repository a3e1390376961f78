import type { Maintenance } from '@oncekey/core'
import { askReadCommitted } from '../sql/read-committed.ts'
import { storeError } from '../sql/store-error.ts'
import { inPortions } from './in-portions.ts'
import type { LogState } from './log-state.ts'
import {
  dropPassed,
  partsOver,
  purgeProcessed,
  purgeRedrives,
  purgeResolved,
} from './statements/retention.ts'
import { abandonConsumers, missingConsumers } from './statements/subscriptions.ts'

/** Deletes what has been kept for its retention, in portions that block nobody. */
export async function maintainLog<Tx>(log: LogState<Tx>): Promise<Maintenance> {
  const { ask, schema, abandonedAfterMs, missingAfterMs } = log
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
 * Empties a partition at READ COMMITTED, which reads the partition after locking it. At a higher
 * level, which the session may be set to, the snapshot would predate the lock and miss what was
 * committed meanwhile.
 */
async function emptied<Tx>({ client, schema, schemaName, timeoutMs }: LogState<Tx>, part: number) {
  try {
    return await askReadCommitted(client, dropPassed(schema)(part), { timeoutMs })
  } catch (error) {
    throw storeError(error, schemaName)
  }
}
