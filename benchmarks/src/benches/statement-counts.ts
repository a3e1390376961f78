import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '@oncekey/postgres'
import { freshDatabase, startPostgres } from '@oncekey/test-servers'
import { Pool } from 'pg'
import type { Bench } from '../bench.ts'
import { PEER_KEYS_TABLE } from '../contenders/claim-then-work.ts'
import { contenders } from '../contenders/contenders.ts'
import { type Entrant, entrants } from '../contenders/entrants.ts'
import { ORDER, ORDERS_TABLE } from '../contenders/order.ts'
import type { Cell } from '../report.ts'
import { type Callgrind, callgrind, hasValgrind } from '../request-costs/callgrind.ts'

/** What a request costs the server, in instructions of the server's own code. */
export const statementCountsBench: Bench = {
  name: 'statement-counts',
  about: 'instructions of the Postgres server for a request, by callgrind',

  onlyByName: true,

  async run({ counted }) {
    if (!hasValgrind()) return { tables: [], budgets: [], notes: ['valgrind is not installed.'] }
    // The server runs as another user, which has to write there.
    const folder = mkdtempSync(join(tmpdir(), 'oncekey-callgrind-'))
    chmodSync(folder, 0o777)
    const profiler = callgrind('pg_conf_load_time', folder)
    const server = await startPostgres({ settings: SETTINGS, under: profiler.under })
    const rows: Counted[] = []
    try {
      const { url } = await freshDatabase(server.url)
      await setUp(url)
      for (const entrant of entrants.filter(({ pipeline }) => !pipeline)) {
        for (const event of [false, true]) {
          rows.push(await count({ url, profiler, entrant, event, counted }))
        }
      }
    } finally {
      await server.stop()
      profiler.remove()
    }
    return { tables: [tableOf(rows)], budgets: [], notes: [NOTE] }
  },
}

/** Nothing else may run in a session's process, and statistics would be collected at random. */
const SETTINGS = { io_method: 'sync', autovacuum: 'off', shared_preload_libraries: '' }

interface Counted {
  readonly entrant: Entrant
  readonly event: boolean
  readonly instructions: number
}

async function setUp(url: string): Promise<void> {
  const pool = new Pool({ connectionString: url, max: 1 })
  await migrate(pool)
  await pool.query(ORDERS_TABLE)
  await pool.query(PEER_KEYS_TABLE)
  await pool.end()
}

async function count(run: {
  readonly url: string
  readonly profiler: Callgrind
  readonly entrant: Entrant
  readonly event: boolean
  readonly counted: number
}): Promise<Counted> {
  const { url, profiler, entrant, event, counted } = run
  const pool = new Pool({ connectionString: url, max: 1 })
  const contender = contenders[entrant.contender]({ pool, event, prepare: entrant.prepare })
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
  const place = async (times: number): Promise<void> => {
    for (let left = times; left > 0; left -= 1) {
      const status = await contender.place({ key: randomUUID(), order: ORDER })
      if (status !== 201) throw new Error(`${entrant.name}: ${status}`)
    }
  }
  const mark = (): Promise<unknown> => pool.query('select pg_conf_load_time()')
  // The session makes plans for its functions, and after five executions keeps them.
  await place(WARM_UP)
  await mark()
  await place(counted)
  await mark()
  await pool.end()
  const costs = profiler.selfCosts(rows[0]?.pid ?? 0)
  const total = [...costs.values()].reduce((sum, cost) => sum + cost, 0)
  return { entrant, event, instructions: total / counted }
}

const WARM_UP = 40

function tableOf(rows: readonly Counted[]) {
  return {
    title: 'Instructions of the server per request',
    columns: ['', 'event', 'instructions', 'above bare'],
    rows: rows.map(({ entrant, event, instructions }): Cell[] => {
      const bare = rows.find((row) => row.event === event)?.instructions ?? 0
      const above = Math.round(instructions - bare)
      return [entrant.name, event ? 'one' : 'none', Math.round(instructions), above]
    }),
  }
}

const NOTE =
  'The server runs under valgrind. Counted are the instructions of the process that serves the connection, outside the kernel, warm.'
