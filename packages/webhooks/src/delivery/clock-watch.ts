import { readClock, clockWatch as watch } from '@oncekey/postgres/client'
import type { ResolvedOptions } from '../options/options.ts'
import { mendTimes } from '../statements/mend-times.ts'
import { runStatement } from '../statements/run-statement.ts'

/**
 * If the database's clock was put back, moves the times of deliveries and endpoints accordingly.
 */
export function clockWatch(options: ResolvedOptions): () => Promise<void> {
  return watch({
    readClock: async () => Number((await runStatement(options, readClock()))[0]?.ms),
    mend: async () => {
      await runStatement(options, mendTimes(options.schema))
    },
  })
}
