import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import { storeError } from '../sql/store-error.ts'
import { listConsumers } from './statements/consumers.ts'

/** A consumer as the log knows it; how far it is behind, `lag` of the log says. */
export interface ConsumerSummary {
  readonly name: string
  /** What its relays take, all together; `['*']` for everything, null where none has said. */
  readonly types: readonly string[] | null
  /** When a relay asked for it last. */
  readonly seenAt: Date
  /** Since when it holds no events back any more. */
  readonly abandonedAt: Date | null
  /** Relays that have asked lately. */
  readonly relays: readonly string[]
  /** How many of the slots a relay holds. */
  readonly heldSlots: number
}

/**
 * The consumers of the log in one schema, by name, at most 1,000 of them.
 *
 * @example
 * ```ts
 * const [consumer] = await postgresConsumers({ client: pool }).list()
 * ```
 */
export function postgresConsumers<Tx>(options: {
  readonly client: PostgresClient<Tx>
  /** @default 'oncekey' */
  readonly schema?: string
}): { list(): Promise<readonly ConsumerSummary[]> } {
  const schema = options.schema ?? 'oncekey'
  const client = sqlClientOf(options.client, { prepare: false })
  const statement = listConsumers(quotedSchema(schema))
  return {
    async list() {
      const rows = await client.query(statement, { timeoutMs: TIMEOUT_MS }).catch((error) => {
        throw storeError(error, schema)
      })
      return rows.map((row) => ({
        name: row.name,
        types: row.wanted === null ? null : JSON.parse(row.wanted),
        seenAt: new Date(Number(row.seen_at)),
        abandonedAt: row.abandoned_at === null ? null : new Date(Number(row.abandoned_at)),
        relays: JSON.parse(row.relays),
        heldSlots: Number(row.held),
      }))
    },
  }
}

const TIMEOUT_MS = 10_000
