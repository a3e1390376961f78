import type { RedriveRecords } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../../bridges/postgres-client.ts'
import { atReadCommitted } from '../../sql/read-committed.ts'
import { quotedSchema } from '../../sql/schema-name.ts'
import { storeError } from '../../sql/store-error.ts'
import { redriveRecords } from './redrive-records.ts'

/**
 * The redrives in one schema, of consumers, webhooks and sagas alike, for listing and cancelling. A
 * redrive is started at its source: `deadLetters.redrives` of the log, of webhooks or of sagas.
 *
 * @example
 * ```ts
 * const { items } = await postgresRedrives({ client: pool }).list({ state: 'running' }, { limit: 50 })
 * ```
 */
export function postgresRedrives<Tx>(options: {
  readonly client: PostgresClient<Tx>
  /** @default 'oncekey' */
  readonly schema?: string
}): RedriveRecords {
  const schema = options.schema ?? 'oncekey'
  const client = atReadCommitted(sqlClientOf(options.client, { prepare: false }))
  return redriveRecords(async (statement) => {
    return await client.query(statement, { timeoutMs: TIMEOUT_MS }).catch((error) => {
      throw storeError(error, schema)
    })
  }, quotedSchema(schema))
}

const TIMEOUT_MS = 10_000
