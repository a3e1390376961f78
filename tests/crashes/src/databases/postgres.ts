import { migrate } from '@oncekey/postgres'
import { freshDatabase } from '@oncekey/test-servers'
import { Pool } from 'pg'
import { all, type Database } from './database.ts'

export async function postgresDatabase(serverUrl: string): Promise<Database> {
  const { url, drop } = await freshDatabase(serverUrl)
  const pool = new Pool({ connectionString: url, max: 4 })
  pool.on('error', () => {})
  await migrate(pool)
  await pool.query(
    'create table effects (order_key text not null, receipt uuid not null, step text not null)',
  )
  const values = async <T>(text: string, ...parameters: unknown[]): Promise<T[]> =>
    (await pool.query<{ value: T }>(text, parameters)).rows.map(({ value }) => value)

  return {
    url,
    port: Number(new URL(url).port),
    claim: (key) => all('.claim', key),
    completion: (key) => all('.complete', key),
    effects: (order) =>
      values(
        "select receipt || ' ' || step as value from effects where order_key = $1 order by step",
        order,
      ),
    events: (order) =>
      values(
        "select data ->> 'receipt' as value from oncekey.outbox where subject = $1 order by seq",
        order,
      ),
    stored: async (key) =>
      (await values<Buffer>('select body as value from oncekey.records where key = $1', key))[0],
    leaseLeftMs: async (key) =>
      (
        await values<number>(
          `select (extract(epoch from coalesce(l.until, a.until) - clock_timestamp()) * 1000)::float as value
             from oncekey.attempts a left join oncekey.leases l using (token) where a.key = $1`,
          key,
        )
      )[0],
    leftOver: (key) =>
      values(
        `select application_name || ', ' || state || ': ' || query as value from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and (xact_start is not null or application_name = 'the dead')
          union all
         select 'an advisory lock of backend ' || pid from pg_locks join pg_database d on d.oid = database
          where datname = current_database() and locktype = 'advisory'
          union all
         select 'attempt ' || number from oncekey.attempts where key = $1`,
        key,
      ),
    async stop() {
      await pool.end()
      await drop()
    },
  }
}
