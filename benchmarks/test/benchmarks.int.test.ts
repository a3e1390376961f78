import { expect, test } from 'vitest'
import { FILLED_PAGES } from '../../packages/dashboard/test/filled-pages.ts'
import type { Bench } from '../src/bench.ts'
import { countsBench } from '../src/benches/counts.ts'
import { emitBench } from '../src/benches/emit.ts'
import { expressMemoryBench } from '../src/benches/express-memory.ts'
import { expressPostgresBench } from '../src/benches/express-postgres.ts'
import { fastifyMemoryBench } from '../src/benches/fastify-memory.ts'
import { fastifyStoresBench } from '../src/benches/fastify-stores.ts'
import { folderPeersBench } from '../src/benches/folder-peers.ts'
import { growthBench } from '../src/benches/growth.ts'
import { inboxBench } from '../src/benches/inbox.ts'
import { koaNestBench } from '../src/benches/koa-nest.ts'
import { latencyBench } from '../src/benches/latency.ts'
import { memoryFootprintBench } from '../src/benches/memory-footprint.ts'
import { operatorBench } from '../src/benches/operator.ts'
import { purgeBench } from '../src/benches/purge.ts'
import { redisClientsBench } from '../src/benches/redis-clients.ts'
import { redisPeersBench } from '../src/benches/redis-peers.ts'
import { relayBench } from '../src/benches/relay.ts'
import { relayPeersBench } from '../src/benches/relay-peers.ts'
import { sagaBench } from '../src/benches/saga.ts'
import { soakBench } from '../src/benches/soak.ts'
import { statementCountsBench } from '../src/benches/statement-counts.ts'
import { webhooksBench } from '../src/benches/webhooks.ts'
import { workLatencyBench } from '../src/benches/work-latency.ts'
import { budgetLine } from '../src/budget.ts'
import type { BenchOptions } from '../src/options.ts'
import { type Report, reportText } from '../src/report.ts'
import { hasValgrind } from '../src/request-costs/callgrind.ts'
import { runBenches } from '../src/run-benches.ts'

const tiny: BenchOptions = {
  rounds: 1,
  requests: 20,
  concurrency: [1, 4],
  counted: 3,
  records: [100, 1_000],
  expired: 2_000,
  memoryRecords: 1_000,
  events: 500,
  jobs: 100,
  rate: 50,
  seconds: 1,
  heldSeconds: 2,
  soakSeconds: 2,
  soakShare: 60,
  soakStores: undefined,
  operatorRecords: 1_000,
  // As many that the pages find every key and letter that they name.
  letters: 1_000,
  peers: undefined,
  cpuProf: undefined,
}

test.each([
  { bench: memoryFootprintBench, rows: [3] },
  { bench: expressMemoryBench, rows: [3] },
  { bench: fastifyMemoryBench, rows: [4] },
  // Entrants at two concurrencies, over HTTP and without, without an event and with one.
  { bench: expressPostgresBench, rows: [12, 12, 12, 12] },
  { bench: growthBench, rows: [6] },
  { bench: purgeBench, rows: [2] },
  { bench: webhooksBench, rows: [4, 3] },
  { bench: sagaBench, rows: [4, 8] },
  { bench: relayBench, rows: [3] },
  { bench: relayPeersBench, rows: [5] },
  { bench: inboxBench, rows: [4, 4] },
  { bench: emitBench, rows: [6] },
  { bench: redisClientsBench, rows: [8] },
  { bench: operatorBench, rows: [FILLED_PAGES.length + 1] },
])(
  '$bench.name fills its tables and its budget lines',
  async ({ bench, rows }) => {
    const report = await run(bench)
    expect(report.tables.map((table) => table.rows.length)).toEqual(rows)
    for (const table of report.tables) {
      for (const row of table.rows) expect(row).toHaveLength(table.columns.length)
    }
    expect(report.budgets).not.toHaveLength(0)
    expect(reportText(report)).not.toMatch(/NaN|undefined/)
    for (const { measured } of report.budgets) expect(measured).toBeGreaterThan(0)
  },
  120_000,
)

test('latency has a line for each way and situation, and a budget for each of ours', async () => {
  const { tables, budgets } = await run(latencyBench)
  expect(tables.map((table) => table.rows.length)).toEqual([15])
  for (const cell of tables[0]?.rows.flat() ?? []) expect(cell).not.toBeNaN()
  expect(budgets).toHaveLength(16)
}, 240_000)

test('work-latency has a line for webhooks and for a step of each way of running sagas', async () => {
  const { tables } = await run(workLatencyBench)
  expect(tables.map((table) => table.rows.length)).toEqual([5])
  for (const cell of tables[0]?.rows.flat() ?? []) expect(cell).not.toBeNaN()
}, 120_000)

test('fastify-stores has a line for each store, fresh and replayed, beside the bare handler', async () => {
  const { tables } = await run(fastifyStoresBench)
  expect(tables.map((table) => table.rows.length)).toEqual([13])
}, 120_000)

test('koa-nest has a bare, a fresh and a replayed line for each framework, on each store', async () => {
  const report = await run(koaNestBench)
  expect(report.tables.map((table) => table.rows.length)).toEqual([9, 9])
  expect(reportText(report)).not.toMatch(/NaN|undefined/)
}, 120_000)

test('a request costs two round trips to Redis, and a replay one', async () => {
  const report = await run(redisPeersBench)
  const { tables } = report
  // Ours and five peers, with two kinds of request each, and both kinds beside Express alone.
  expect(tables.map((table) => table.rows.length)).toEqual([12, 7, 7])
  expect(reportText(report)).not.toMatch(/NaN|undefined/)
  const rows = new Map(
    tables[0]?.rows.map(([who, request, ...cost]) => [`${who}: ${request}`, cost]),
  )
  expect(rows.get('Oncekey: fresh key')?.[0]).toBe(2)
  expect(rows.get('Oncekey: replay')?.[0]).toBe(1)
  // A contender that claims with SET NX has to ask again for an existing record.
  expect(rows.get('@node-idempotency/core: fresh key')).toEqual([2, 'set 2'])
  expect(rows.get('@node-idempotency/core: replay')).toEqual([2, 'get 1, set 1'])
}, 240_000)

test('folder-peers without a folder says what to install', async () => {
  await expect(run(folderPeersBench)).rejects.toThrow('folder-peers needs --peers FOLDER')
}, 60_000)

test('a request costs what the design allows, by count', async () => {
  const { tables, budgets } = await run(countsBench)
  const rows = new Map(
    tables[0]?.rows.map(([entrant, request, ...counts]) => [`${entrant}: ${request}`, counts]),
  )
  // Statements, round trips to the answer, round trips in all, WAL flushes.
  expect(rows.get('bare transaction: fresh key')).toEqual([3, 3, 3, 1])
  expect(rows.get('claim, commit, then work: fresh key')).toEqual([5, 5, 5, 3])
  for (const entrant of ['Oncekey', 'Oncekey, pipeline', 'Oncekey, pipeline, prepare']) {
    expect(rows.get(`${entrant}: fresh key`)).toEqual([5, 3, 3, 1])
    expect(rows.get(`${entrant}: fresh key, one event`)).toEqual([5, 3, 3, 1])
    expect(rows.get(`${entrant}: no key`)).toEqual([5, 3, 3, 1])
    expect(rows.get(`${entrant}: refused (422)`)).toEqual([5, 3, 3, 1])
    expect(rows.get(`${entrant}: replay`)).toEqual([3, 1, 2, 0])
    expect(rows.get(`${entrant}: other body, finished`)).toEqual([3, 1, 2, 0])
    expect(rows.get(`${entrant}: in progress in this process`)).toEqual([0, 0, 0, 0])
    expect(rows.get(`${entrant}: in progress in another`)).toEqual([3, 1, 2, 0])
  }
  expect(rows.get('Oncekey, prepare: fresh key')).toEqual([5, 5, 5, 1])
  expect(budgets.map(budgetLine).filter((line) => line.includes('missed'))).toEqual([])
}, 120_000)

test.skipIf(!hasValgrind())(
  'a fresh key costs the server more instructions than the bare transaction, less if prepared',
  async () => {
    const { tables } = await run(statementCountsBench)
    const above = new Map(
      tables[0]?.rows.map(([who, event, , above]) => [`${who}, ${event}`, above]),
    )
    expect(above.get('bare transaction, none')).toBe(0)
    expect(above.get('Oncekey, prepare, none')).toBeGreaterThan(0)
    expect(above.get('Oncekey, none')).toBeGreaterThan(Number(above.get('Oncekey, prepare, none')))
  },
  240_000,
)

test('soak has a line, a course and six budgets for each store', async () => {
  const { tables, budgets } = await run(soakBench)
  expect(tables.map((table) => table.rows.length)).toEqual([4, 10, 10, 10, 10])
  expect(budgets).toHaveLength(24)
}, 240_000)

async function run(bench: Bench): Promise<Report> {
  const [result] = await runBenches([bench], tiny)
  return result!.report
}
