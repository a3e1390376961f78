import { randomUUID } from 'node:crypto'
import { migrate } from '@oncekey/postgres'
import { createSagaRunner, type Saga, type SagaRunner, saga, sagaMigrations } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import { Pool, type PoolClient } from 'pg'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { insertOrder, ORDER } from '../contenders/order.ts'
import { type DurablePostgres, durablePostgres, onClient } from '../durable-postgres.ts'
import { closedLoop } from '../load.ts'
import { median, pairwiseRatio } from '../median.ts'
import { interleaved } from '../rounds.ts'

/** What a step of a saga costs in addition to its own transaction. */
export const sagaBench: Bench = {
  name: 'saga',
  about: 'sagas of five steps: steps a second, and flushes for each',

  async run({ rounds, requests, concurrency }) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const counted = []
      const rows = []
      const budgets: Budget[] = []
      for (const entrant of entrants) counted.push(await flushesPerStep(postgres, entrant))
      for (const [at, { name, flushes }] of counted.entries()) {
        if (at === 0) continue
        budgets.push({
          what: `${name}: flushes for a step, the beginning of its run not counted`,
          bound: 'at most',
          limit: 1,
          measured: flushes,
        })
      }
      for (const many of concurrency) {
        const samples = await stepsPerSecond(postgres, { rounds, requests, many })
        const [bare = []] = samples
        for (const [at, { name }] of entrants.entries()) {
          const own = samples[at] ?? []
          rows.push([name, many, median(own), pairwiseRatio(own, bare)])
        }
      }
      return {
        tables: [
          {
            title: `Commits and flushes of a run of ${STEPS} steps`,
            columns: ['', 'flushes a step', 'to begin a run'],
            rows: counted.map(({ name, flushes, toBegin }) => [name, flushes, toBegin]),
          },
          {
            title: `Steps a second, runs of ${STEPS} steps, each inserts an order`,
            columns: ['', 'at once', 'steps/s', 'of bare'],
            rows,
          },
        ],
        budgets,
        notes: [
          'Bare: BEGIN, the insert, COMMIT, and no memory of it. Local: the insert and the row of the step in that transaction, and one commit more for each run. Outside: the insert in a transaction that an outside step asks for after its call, which here takes no time.',
        ],
        postgresVersion: postgres.version,
      }
    } finally {
      await postgres.stop()
    }
  },
}

const STEPS = 5

/** Runs five steps on a pool, as one unit of work. */
interface Entrant {
  readonly name: string
  open(pool: Pool): { run(): Promise<unknown> }
}

const entrants: readonly Entrant[] = [
  { name: 'bare transactions', open: (pool) => ({ run: () => bare(pool) }) },
  { name: 'saga, local steps', open: (pool) => ofSaga(pool, true) },
  { name: 'saga, outside steps', open: (pool) => ofSaga(pool, false) },
]

async function bare(pool: Pool): Promise<void> {
  for (let step = 1; step <= STEPS; step += 1) {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await insertOrder(client, ORDER)
      await client.query('COMMIT')
    } finally {
      client.release()
    }
  }
}

function ofSaga(pool: Pool, local: boolean): { run(): Promise<unknown> } {
  let flow: Saga<null, object, PoolClient, unknown> = saga<null, PoolClient>('bench', {
    version: 1,
  })
  for (let step = 1; step <= STEPS; step += 1) {
    flow = flow.step(`step-${step}`, {
      local,
      async run({ transaction }) {
        const { id } = await insertOrder(await transaction(), ORDER)
        return { id }
      },
    })
  }
  const sagas: SagaRunner<PoolClient> = createSagaRunner({ client: pool, sagas: [flow] })
  return { run: () => sagas.execute(flow, { id: randomUUID(), input: null }) }
}

async function flushesPerStep(
  postgres: DurablePostgres,
  entrant: Entrant,
): Promise<{ name: string; flushes: number; toBegin: number }> {
  const runs = 20
  const url = await databaseOf(postgres)
  await noConnections(postgres, url)
  const before = await postgres.walFlushes()
  const pool = new Pool({ connectionString: url, max: 1 })
  const { run } = entrant.open(pool)
  for (let n = 0; n < runs; n += 1) await run()
  await pool.end()
  await noConnections(postgres, url)
  const perRun = ((await postgres.walFlushes()) - before) / runs
  const toBegin = entrant === entrants[0] ? 0 : 1
  return { name: entrant.name, flushes: (perRun - toBegin) / STEPS, toBegin }
}

/** A server process reports its flushes when it ends. */
async function noConnections({ server }: DurablePostgres, url: string): Promise<void> {
  const database = new URL(url).pathname.slice(1)
  await onClient(server.url, (client) =>
    waitFor(
      async () => {
        const text = 'select from pg_stat_activity where datname = $1'
        return (await client.query(text, [database])).rowCount === 0
      },
      { what: `the connections to ${database} to be gone` },
    ),
  )
}

async function stepsPerSecond(
  postgres: DurablePostgres,
  { rounds, requests, many }: { rounds: number; requests: number; many: number },
): Promise<number[][]> {
  const pools: Pool[] = []
  const ready = []
  for (const entrant of entrants) {
    const pool = new Pool({ connectionString: await databaseOf(postgres), max: 20 })
    pools.push(pool)
    ready.push(entrant.open(pool))
  }
  const runs = Math.max(1, Math.ceil(requests / STEPS))
  const samples = await interleaved(
    rounds,
    ready.map(({ run }) => async () => {
      const load = await closedLoop({ requests: runs, concurrency: many }, async () => {
        await run()
      })
      return (load.requests * STEPS) / load.seconds
    }),
  )
  await Promise.all(pools.map((pool) => pool.end()))
  return samples
}

async function databaseOf(postgres: DurablePostgres): Promise<string> {
  const url = await postgres.database()
  const pool = new Pool({ connectionString: url, max: 1 })
  await migrate(pool, { also: [sagaMigrations] })
  await pool.end()
  return url
}
