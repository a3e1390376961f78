import { migrate } from '@oncekey/postgres'
import { sagaMigrations } from '@oncekey/saga'
import { type PostgresServer, startPostgres } from '@oncekey/test-servers'
import { webhookMigrations } from '@oncekey/webhooks'
import { Pool } from 'pg'
import { fillTables } from '../../../packages/dashboard/test/filled.ts'
import { FILLED_PAGES } from '../../../packages/dashboard/test/filled-pages.ts'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { onClient } from '../durable-postgres.ts'
import { median } from '../median.ts'
import type { OperatorPages } from '../programs/operator-pages.ts'

/** How long pages of the dashboard and a scrape take on large tables. */
export const operatorBench: Bench = {
  name: 'operator',
  about: 'each page of the dashboard, and a scrape of all gauges, on large tables',
  onlyByName: true,

  async run({ operatorRecords: records, letters }, programs) {
    const server = await startPostgres({ settings: SETTINGS })
    try {
      const url = await server.createDatabase()
      const startedAt = performance.now()
      await filled(url, { records, letters })
      const seconds = (performance.now() - startedAt) / 1000
      const { version, gigabytes } = await onClient(url, sizeOf)

      const program = await programs.start<OperatorPages>('operator-pages')
      const letter = await program.call('open', url)
      const pages: Line[] = []
      for (const named of FILLED_PAGES) {
        const path = named.replace('LETTER', letter)
        const look = (times: number) => program.call('page', path, times)
        pages.push(await measured(server, `/${named}`, look))
      }
      const scrape = await measured(server, 'a scrape of all gauges', (times) =>
        program.call('scrape', times),
      )
      await program.stop()

      const thousands = (count: number) => count.toLocaleString('en')
      return {
        tables: [
          {
            title: `Milliseconds on ${thousands(records)} records and ${thousands(letters)} dead letters, ${TIMES} times each`,
            columns: ['', 'median', 'worst', 'worst statement'],
            rows: [...pages, scrape].map(({ name, own, statementMs }) => [
              name,
              median(own),
              Math.max(...own),
              statementMs,
            ]),
          },
        ],
        budgets: budgetsOf(pages, scrape),
        notes: [
          `The tables were filled in ${seconds.toFixed(0)} s and take ${gigabytes.toFixed(1)} GB. Each look is made once before it is measured. A statement's time is what the server takes to plan and to execute it.`,
        ],
        postgresVersion: version,
      }
    } finally {
      await server.stop()
    }
  },
}

interface Line {
  readonly name: string
  /** Milliseconds. */
  readonly own: readonly number[]
  readonly statementMs: number
}

async function filled(
  url: string,
  sizes: { readonly records: number; readonly letters: number },
): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 2 })
  try {
    await migrate(pool, { also: [webhookMigrations, sagaMigrations] })
    await fillTables(pool, sizes)
    await pool.query('checkpoint')
  } finally {
    await pool.end()
  }
}

async function sizeOf(client: Parameters<Parameters<typeof onClient>[1]>[0]) {
  const { rows } = await client.query<{ version: string; gigabytes: number }>(
    `select current_setting('server_version') as version,
        pg_database_size(current_database()) / 1e9::float8 as gigabytes`,
  )
  return rows[0] ?? { version: '', gigabytes: Number.NaN }
}

async function measured(
  server: PostgresServer,
  name: string,
  look: (times: number) => Promise<number[]>,
): Promise<Line> {
  await look(1)
  await onClient(server.url, (client) => client.query('select pg_stat_statements_reset()'))
  const own = await look(TIMES)
  const statementMs = await onClient(server.url, async (client) => {
    const { rows } = await client.query<{ ms: number }>(
      `select coalesce(max(max_plan_time + max_exec_time), 0) as ms from pg_stat_statements
          where query not like '%pg_stat_statements_reset%'`,
    )
    return rows[0]?.ms ?? Number.NaN
  })
  return { name, own, statementMs }
}

function budgetsOf(pages: readonly Line[], scrape: Line): Budget[] {
  const most = (of: (line: Line) => number) =>
    pages.reduce((slowest, page) => (of(page) > of(slowest) ? page : slowest))
  const slowest = most(({ own }) => median(own))
  const asked = most(({ statementMs }) => statementMs)
  const atMost = (limit: number, what: string, measured: number): Budget => ({
    what,
    bound: 'at most',
    limit,
    measured,
  })
  return [
    atMost(PAGE_MS, 'the first page, median ms', median(pages[0]?.own ?? [])),
    atMost(PAGE_MS, `the slowest page, ${slowest.name}, median ms`, median(slowest.own)),
    atMost(STATEMENT_MS, `the slowest statement of any page, ${asked.name}, ms`, asked.statementMs),
    atMost(SCRAPE_MS, 'a scrape, median ms', median(scrape.own)),
  ]
}

/** Nothing is measured while tables are filled, so nothing that protects them is waited for. */
const SETTINGS: Record<string, string> = {
  shared_buffers: '2GB',
  maintenance_work_mem: '512MB',
  max_wal_size: '32GB',
  checkpoint_timeout: '1h',
  wal_level: 'minimal',
  max_wal_senders: '0',
  synchronous_commit: 'off',
  'pg_stat_statements.track_planning': 'on',
}

const TIMES = 20
const PAGE_MS = 200
const STATEMENT_MS = 50
const SCRAPE_MS = 50
