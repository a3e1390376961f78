import { migrate } from '@oncekey/postgres'
import { durable, freshDatabase, type PostgresServer, startPostgres } from '@oncekey/test-servers'
import { Client, Pool } from 'pg'
import { PEER_KEYS_TABLE } from './contenders/claim-then-work.ts'
import { ORDERS_TABLE } from './contenders/order.ts'

/** A server that flushes commits, and a database for each contender. */
export interface DurablePostgres {
  readonly server: PostgresServer
  readonly version: string
  /** A database of its own, with the empty tables of all contenders. */
  database(): Promise<string>
  /** An empty database. */
  emptyDatabase(): Promise<string>
  /**
   * Flushes of the write-ahead log by the processes that serve clients, since the server started.
   */
  walFlushes(): Promise<number>
  stop(): Promise<void>
}

/**
 * Commits are flushed. The settings keep checkpoints out of the measurements, and also the WAL
 * writer, which sometimes flushes what a commit is about to flush.
 */
const SETTINGS: Record<string, string> = {
  ...durable,
  synchronous_commit: 'on',
  shared_buffers: '512MB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  wal_writer_delay: '10s',
}

export async function durablePostgres(
  settings: Record<string, string> = {},
): Promise<DurablePostgres> {
  const server = await startPostgres({ settings: { ...SETTINGS, ...settings } })
  const template = await freshDatabase(server.url)
  const pool = new Pool({ connectionString: template.url, max: 1 })
  await migrate(pool)
  await pool.query(ORDERS_TABLE)
  await pool.query(PEER_KEYS_TABLE)
  const { rows } = await pool.query<{ version: string }>(
    `select current_setting('server_version') as version`,
  )
  await pool.end()

  return {
    server,
    version: rows[0]?.version ?? '',
    database: async () => (await freshDatabase(server.url, { template: template.name })).url,
    emptyDatabase: async () => (await freshDatabase(server.url)).url,
    walFlushes: () => onClient(server.url, walFlushes),
    stop: () => server.stop(),
  }
}

export async function onClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/**
 * Postgres counts flushes for each kind of process since version 18, and before that for all
 * processes together.
 */
async function walFlushes(client: Client): Promise<number> {
  const { rows: version } = await client.query<{ number: number }>(
    `select current_setting('server_version_num')::int as number`,
  )
  const { rows } = await client.query<{ flushes: number }>(
    (version[0]?.number ?? 0) >= 180_000
      ? `select coalesce(sum(fsyncs), 0)::int as flushes from pg_stat_io
           where object = 'wal' and backend_type = 'client backend'`
      : 'select wal_sync::int as flushes from pg_stat_wal',
  )
  return rows[0]?.flushes ?? 0
}
