import { type EmittedEvent, outboxEvent } from '@oncekey/core'
import type { DeliveredEvent } from '@oncekey/outbox'
import { migrate } from '@oncekey/postgres'
import { appendEventsStatement } from '@oncekey/postgres/client'
import { type Database, freshDatabase, publishAllTables } from '@oncekey/test-servers'
import { type Webhooks, type WebhooksOptions, webhookMigrations, webhooks } from '@oncekey/webhooks'
import { Pool, type PoolClient, type PoolConfig } from 'pg'
import { v7 } from 'uuid'
import { afterAll, beforeAll, inject } from 'vitest'

/** A migrated database for one test file. */
export interface WebhooksDatabase {
  url(): string
  /** One pool for all tests, or a new one that is closed after the file's tests. */
  pool(config?: PoolConfig): Pool
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>
  /** Webhooks that may be sent to this machine, over plain HTTP. */
  hooks(options?: Partial<WebhooksOptions<PoolClient>>): Webhooks<PoolClient>
  /** Empties the tables, so that tests that count rows do not affect each other. */
  empty(): Promise<void>
}

export function webhooksDatabase(): WebhooksDatabase {
  const pools: Pool[] = []
  let database: Database
  let own: Pool

  const pool = (config?: PoolConfig): Pool => (config === undefined ? own : newPool(config))
  const newPool = (config: PoolConfig = {}): Pool => {
    const made = new Pool({ connectionString: database.url, ...config })
    made.on('error', () => {})
    pools.push(made)
    return made
  }

  beforeAll(async () => {
    database = await freshDatabase(inject('postgresUrl'))
    own = newPool()
    await migrate(own, { also: [webhookMigrations] })
    await publishAllTables(database.url)
  })

  afterAll(async () => {
    await Promise.all(pools.map((each) => each.ended || each.end()))
    await database.drop()
  })

  return {
    url: () => database.url,
    pool,
    query: async (text, values) => (await own.query(text, values)).rows,
    hooks: (options = {}) => webhooks({ client: own, ...LOCAL, ...options }),
    empty: async () => {
      await own.query(`truncate oncekey.webhook_endpoints, oncekey.webhook_secrets,
        oncekey.webhook_messages, oncekey.webhook_deliveries, oncekey.webhook_attempts`)
    },
  }
}

export const LOCAL = { allowAddresses: ['127.0.0.1/32'], allowHttp: true } as const

export function eventOf(event: Partial<DeliveredEvent> = {}): DeliveredEvent {
  const data = event.data ?? { id: 'order-1' }
  const id = event.id ?? v7()
  return {
    toJSON: () => eventOf(event),
    id,
    type: 'order.created',
    source: '/http',
    subject: null,
    orderingKey: id,
    headers: {},
    occurredAt: new Date(),
    json: JSON.stringify(data),
    ...event,
    data,
  }
}

/** Writes events to the outbox as a completing request does, and returns their ids. */
export async function emitEvents(pool: Pool, emitted: readonly EmittedEvent[]): Promise<string[]> {
  const events = emitted.map((event) =>
    outboxEvent(event, { source: '/test', traceparent: undefined }),
  )
  const { text, values } = appendEventsStatement('"oncekey"')(events)
  await pool.query(text, [...values])
  return events.map(({ id }) => id)
}

/** Gives events to the consumer in a transaction, as a relay does. */
export async function fanOut(
  hooks: Webhooks<PoolClient>,
  pool: Pool,
  events: readonly DeliveredEvent[],
): Promise<void> {
  const { work } = hooks.consumer
  if (work.kind !== 'batch') throw new Error('not a batch consumer')
  const client = await pool.connect()
  try {
    await client.query('begin')
    await work.handleBatch({
      events,
      attempt: 1,
      signal: new AbortController().signal,
      begin: async () => ({ transaction: client, fresh: events }),
      emit: () => {},
      deriveKey: () => '',
    })
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}
