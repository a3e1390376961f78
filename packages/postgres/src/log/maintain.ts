import type { Maintenance } from '@oncekey/core'
import type { LogState } from './log-state.ts'
import { abandonConsumers } from './statements/abandon-consumers.ts'
import { dropPassed } from './statements/drop-passed.ts'
import { missingConsumers } from './statements/missing-consumers.ts'
import { partsOver } from './statements/parts-over.ts'
import { purgeProcessed } from './statements/purge-processed.ts'
import { purgeResolved } from './statements/purge-resolved.ts'

/** Takes away what has been kept long enough, in portions that nobody waits for. */
export async function maintainLog<Tx>(log: LogState<Tx>): Promise<Maintenance> {
  const { ask, schema } = log
  const abandoned = await ask(abandonConsumers(schema, log.abandonedAfterMs))
  const missing = await ask(missingConsumers(schema, log.missingAfterMs))

  let dropped = 0
  for (const { part } of await ask(partsOver(schema, log.retentionMs))) {
    const [row] = await ask(dropPassed(schema, Number(part)))
    dropped += Number(row?.dropped ?? 0)
  }
  await inPortions(() => ask(purgeProcessed(schema, log.inboxRetentionMs, PORTION)))
  await inPortions(() => ask(purgeResolved(schema, log.resolvedRetentionMs, PORTION)))

  return {
    dropped,
    abandoned: abandoned.map(({ name }) => name),
    missing: missing.map(({ name, seen_at }) => ({
      consumer: name,
      lastSeenAt: new Date(Number(seen_at)),
    })),
  }
}

/** The rest waits for the next time. */
async function inPortions(purge: () => Promise<{ count: string }[]>): Promise<void> {
  for (let portion = 0; portion < MOST_PORTIONS; portion += 1) {
    const [row] = await purge()
    if (Number(row?.count) < PORTION) return
  }
}

const PORTION = 5_000
const MOST_PORTIONS = 50
