import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { migrate } from '@oncekey/postgres'
import {
  type Clock,
  type PostgresOptions,
  type PostgresServer,
  startClock,
  startPostgres,
  waitFor,
} from '@oncekey/test-servers'
import { Client, Pool } from 'pg'
import { limits } from '../limits.ts'
import { type Database, note } from './database.ts'

/** Postgres, with tables for the effects of orders. */
export async function startPostgresDatabase(
  options: Pick<PostgresOptions, 'binDir'> = {},
): Promise<Database> {
  const clock = await startClock({ looks: 'every second' })
  const server = await startPostgres({
    ...options,
    settings: SETTINGS,
    env: clock.env,
    volumeBytes: VOLUME_BYTES,
  })
  await createBooks(server)

  return {
    ports: [server.port],
    reachedBy: ([port]) => ({
      url: Object.assign(new URL(server.url), { hostname: '127.0.0.1', port: `${port}` }).href,
    }),
    completion: /COMMIT/,
    settings: Object.entries(SETTINGS)
      .map(([name, value]) => `${name}=${value}`)
      .join(', '),
    faults: { ...passingFaults(() => server), ...ownFaults(server, clock) },
    mayLose: false,
    ...postgresBooks(() => server),
    whole: async () => {},
    async stop() {
      await server.stop()
      clock.remove()
    },
  }
}

/** The tables of the shop, and the roles that some of its handlers use. */
export async function createBooks(server: PostgresServer): Promise<void> {
  await asked(server, async (pool) => {
    await migrate(pool)
    await pool.query('create table effects (key text not null, receipt uuid not null)')
    await pool.query('create index on effects (key)')
    await pool.query('create role shopkeeper')
    await pool.query('grant insert on effects to shopkeeper')
  })
}

/** Reads from the server that is current at the time of the call. */
export function postgresBooks(server: () => PostgresServer) {
  const pairs = (sql: string) => asked(server(), (pool) => byKey(pool, sql))
  return {
    effects: () => pairs('select key, receipt::text as value from effects'),
    events: () => pairs(`select subject as key, data->>'receipt' as value from oncekey.outbox`),
    records: () => asked(server(), recordedBodies),
    leftOver: () => asked(server(), openTransactions),
  }
}

/** Faults that a server recovers from by itself, with or without a standby. */
export function passingFaults(current: () => PostgresServer): Database['faults'] {
  return {
    async 'database killed'() {
      const server = current()
      await server.crash()
      await server.restart()
    },

    async 'backends terminated'(random) {
      const share = random.between(20, 100)
      await asked(current(), (pool) =>
        pool.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
            where backend_type = 'client backend' and pid <> pg_backend_pid()
              and random() * 100 < $1`,
          [share],
        ),
      )
    },

    async 'no connection free'(random) {
      const held = await holdConnections(current())
      await sleep(random.between(200, 1_500))
      await Promise.all(held.map((client) => client.end().catch(() => {})))
    },

    // Handlers wait in the middle of their transactions until all connections of all pools are
    // taken.
    async 'table locked'(random) {
      await asked(current(), async (pool) => {
        const client = await pool.connect()
        try {
          await client.query('begin; lock table effects in access exclusive mode')
          await sleep(random.between(300, 2_500))
          await client.query('rollback')
        } finally {
          client.release(true)
        }
      })
    },
  }
}

function ownFaults(server: PostgresServer, clock: Clock): Database['faults'] {
  return {
    async 'disk full'(random) {
      const filler = join(server.dataDir, 'filler')
      try {
        fill(server.dataDir, filler)
        await sleep(random.between(200, 1_500))
      } finally {
        rmSync(filler, { force: true })
      }
      await bringBack(server)
    },

    async 'database clock set'(random) {
      clock.shift(random.oneOf([-3_600, -30, -3, 3, 30, 3_600]))
      await sleep(random.between(1_200, 3_000))
      clock.shift(0)
    },
  }
}

/** Uses a connection of its own for each call, because a campaign calls it rarely. */
export async function asked<T>(
  { url }: PostgresServer,
  work: (pool: Pool) => Promise<T>,
): Promise<T> {
  return waitFor(async () => ({ answer: await attempt() }), {
    what: 'Postgres to answer',
    timeoutMs: 120_000,
    intervalMs: 100,
  }).then(({ answer }) => answer)

  async function attempt(): Promise<T> {
    const pool = new Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 5_000 })
    pool.on('error', () => {})
    try {
      return await work(pool)
    } finally {
      await pool.end()
    }
  }
}

async function byKey(pool: Pool, sql: string): Promise<Map<string, string[]>> {
  const all = new Map<string, string[]>()
  const { rows } = await pool.query<{ key: string; value: string }>(sql)
  for (const { key, value } of rows) note(all, key, value)
  return all
}

/** Returns the bodies as text, because all answers of the shop are text. */
export async function recordedBodies(pool: Pool): Promise<Set<string>> {
  const { rows } = await pool.query<{ body: string }>(
    `select convert_from(body, 'UTF8') as body from oncekey.records where body is not null`,
  )
  return new Set(rows.map(({ body }) => body))
}

async function openTransactions(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ what: string }>(
    `select 'a transaction, ' || state || ' since ' || xact_start || ': ' || query as what
       from pg_stat_activity
      where backend_type = 'client backend' and xact_start is not null and pid <> pg_backend_pid()
      union all
     select 'an advisory lock of backend ' || pid from pg_locks where locktype = 'advisory'`,
  )
  return rows.map(({ what }) => what)
}

/** Opens connections until the server refuses more. */
async function holdConnections({ url }: PostgresServer): Promise<Client[]> {
  const held: Client[] = []
  for (;;) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
    client.on('error', () => {})
    try {
      await client.connect()
      held.push(client)
    } catch {
      return held
    }
  }
}

function fill(folder: string, filler: string): void {
  const { bavail, bsize } = statfsSync(folder)
  const chunk = Buffer.alloc(1024 * 1024)
  try {
    for (let left = bavail * bsize; left > 0; left -= chunk.length) {
      writeFileSync(filler, chunk.subarray(0, Math.min(left, chunk.length)), { flag: 'a' })
    }
  } catch (error) {
    // The disk may be full earlier, because others write to it, too.
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

/**
 * A server that has no room for its WAL stops. Does what an operator would do: makes room and
 * starts it again.
 */
async function bringBack(server: PostgresServer): Promise<void> {
  const client = new Client({ connectionString: server.url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
  } catch {
    await server.restart()
  }
}

/** Killed processes lose nothing that was written without fsync; a power cut would. */
export const SETTINGS = {
  max_connections: '120',
  max_wal_size: '96MB',
  min_wal_size: '32MB',
  checkpoint_timeout: '30s',
  autovacuum_naptime: '5s',
  tcp_keepalives_idle: String(Math.ceil(limits.leaseMs / 1_000)),
}
const VOLUME_BYTES = 1024 ** 3
