import type { ConsumerControl, LastError } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { consumerControl } from '../log/consumer-control.ts'
import { atReadCommitted } from '../sql/read-committed.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import type { Statement } from '../sql/sql-client.ts'
import { storeError } from '../sql/store-error.ts'
import { type ConsumerRow, type HolderJson, listConsumers } from './statements/consumers.ts'

/** A consumer as the log knows it. How far it is behind is in the log's `lag`. */
export interface ConsumerSummary {
  readonly name: string
  /**
   * The types that its relays take, those of all relays together; `['*']` for all types, null if no
   * relay has reported.
   */
  readonly types: readonly string[] | null
  /** When a relay last asked for slots of this consumer. */
  readonly seenAt: Date
  /**
   * Since when the consumer no longer keeps events from being deleted, because no relay has run it
   * for too long; null if it still does.
   */
  readonly abandonedAt: Date | null
  /** The relays that have recently asked for slots of this consumer. */
  readonly relays: readonly string[]
  /** How many of the 64 slots are held by a relay. */
  readonly heldSlots: number
  /**
   * Since when the consumer is paused, by whom and why; null if it is not paused. Relays start
   * nothing of a paused consumer.
   */
  readonly pause: { readonly at: Date; readonly by: string; readonly note: string } | null
  /** The last report of each of its relays. A report is some seconds old. */
  readonly holders: readonly ConsumerHolder[]
  /** How many events per second ended in all its relays, successful or failed. */
  readonly perSecond: number
  /** The newest failure that a living relay has reported. */
  readonly lastError: LastError | null
}

export interface ConsumerHolder {
  readonly relay: string
  readonly slots: number
  readonly perSecond: number
  readonly lastError: LastError | null
}

/** The consumers of a log: for listing, pausing and resuming them. */
export interface PostgresConsumers extends Pick<ConsumerControl, 'pause' | 'resume'> {
  /** Lists the consumers by name, at most 1,000 of them. */
  list(): Promise<readonly ConsumerSummary[]>
}

/**
 * The consumers of the log in one schema.
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
}): PostgresConsumers {
  const schema = options.schema ?? 'oncekey'
  const client = atReadCommitted(sqlClientOf(options.client, { prepare: false }))
  const statement = listConsumers(quotedSchema(schema))
  const ask = async <Row>(asked: Statement<Row>): Promise<Row[]> => {
    return await client.query(asked, { timeoutMs: TIMEOUT_MS }).catch((error) => {
      throw storeError(error, schema)
    })
  }
  const { pause, resume } = consumerControl(ask, quotedSchema(schema))
  return { pause, resume, list: async () => (await ask(statement)).map(summaryOf) }
}

function summaryOf(row: ConsumerRow): ConsumerSummary {
  const holders = (JSON.parse(row.relays) as HolderJson[]).map((holder) => ({
    ...holder,
    lastError: holder.lastError && { ...holder.lastError, at: new Date(holder.lastError.at) },
  }))
  const errors = holders.flatMap(({ lastError }) => lastError ?? [])
  return {
    name: row.name,
    types: row.wanted === null ? null : JSON.parse(row.wanted),
    seenAt: new Date(Number(row.seen_at)),
    abandonedAt: row.abandoned_at === null ? null : new Date(Number(row.abandoned_at)),
    relays: holders.map(({ relay }) => relay),
    heldSlots: Number(row.held),
    pause:
      row.paused_at === null
        ? null
        : {
            at: new Date(Number(row.paused_at)),
            by: row.paused_by ?? '',
            note: row.paused_note ?? '',
          },
    holders,
    perSecond: holders.reduce((sum, { perSecond }) => sum + perSecond, 0),
    lastError: errors.sort((one, other) => Number(other.at) - Number(one.at))[0] ?? null,
  }
}

const TIMEOUT_MS = 10_000
