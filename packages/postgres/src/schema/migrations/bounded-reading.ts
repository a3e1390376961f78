import { presentSnapshot2 } from '../functions/server/present-snapshot-2.ts'
import { logLag2 } from '../superseded/log/log-lag-2.ts'
import { readEvents2 } from '../superseded/log/read-events-2.ts'

/** Limits each reading in rows, and measures lag by the database's clock. */
export function boundedReading(schema: string): string[] {
  return [
    // The column is added without a default, which is set in a second step: existing rows keep
    // null, and the table is not rewritten.
    `alter table ${schema}.outbox add column appended_at timestamptz`,
    `alter table ${schema}.outbox alter column appended_at set default clock_timestamp()`,
    presentSnapshot2(schema),
    readEvents2(schema),
    logLag2(schema),
  ]
}
