import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type Entrant, entrants } from '../contenders/entrants.ts'
import { ORDER } from '../contenders/order.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { type HttpClient, httpClient } from '../http-client.ts'
import { closedLoop, type Load } from '../load.ts'
import { median, pairwiseRatio, sum } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import { cpuMicrosBetween, postgresCpu } from '../postgres-cpu.ts'
import type { OrdersApp } from '../programs/orders-app.ts'
import type { Program, Programs } from '../programs.ts'
import type { Ratio, Table } from '../report.ts'
import { interleaved } from '../rounds.ts'

/**
 * Compares a handler that inserts one row: bare, made idempotent as other libraries do it, and with
 * Oncekey.
 */
export const expressPostgresBench: Bench = {
  name: 'express-postgres',
  about: 'one insert (and one event) bare, claim-commit-then-work, and ours, with and without HTTP',

  async run(options, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    const tables: Table[] = []
    const budgets: Budget[] = []
    try {
      for (const event of [false, true]) {
        const apps = await Promise.all(
          entrants.map((entrant) => startApp(programs, postgres, entrant, event, options)),
        )
        for (const layer of ['http', 'direct'] as const) {
          await warmUp(apps, layer, options, postgres)
          const lines: Line[] = []
          for (const concurrency of options.concurrency) {
            const load = loadOf(options, concurrency)
            const samples = await interleaved(
              options.rounds,
              apps.map((app) => () => measured(app, layer, load, postgres)),
            )
            lines.push(...compared(samples, concurrency))
          }
          tables.push(tableOf(layer, event, options, lines))
          if (layer === 'http') budgets.push(...budgetsOf(event, lines))
        }
        await Promise.all(apps.map(({ stop }) => stop()))
      }
    } finally {
      await postgres.stop()
    }
    return { tables, budgets, notes: NOTES, postgresVersion: postgres.version }
  },
}

interface App {
  readonly program: Program<OrdersApp>
  readonly client: HttpClient
  stop(): Promise<void>
}

async function startApp(
  programs: Programs,
  postgres: DurablePostgres,
  { contender, pipeline, prepare }: Entrant,
  event: boolean,
  { concurrency }: BenchOptions,
): Promise<App> {
  const program = await programs.start<OrdersApp>('orders-app')
  const url = await postgres.database()
  const options = { contender, url, connections: CONNECTIONS, pipeline, prepare, event }
  const client = httpClient(await program.call('listen', options), Math.max(...concurrency))
  const stop = async () => {
    await client.close()
    await program.stop()
  }
  return { program, client, stop }
}

interface RequestLoad {
  readonly requests: number
  readonly concurrency: number
}

/** With one at a time most of the time is waiting, so fewer requests are enough. */
function loadOf({ requests }: BenchOptions, concurrency: number): RequestLoad {
  return { requests: concurrency === 1 ? Math.ceil(requests / 4) : requests, concurrency }
}

/** With one request at a time it would take long until V8 optimizes the code. */
async function warmUp(
  apps: readonly App[],
  layer: 'http' | 'direct',
  { requests }: BenchOptions,
  postgres: DurablePostgres,
): Promise<void> {
  for (const app of apps) {
    await measured(app, layer, { requests: 2 * requests, concurrency: 16 }, postgres)
  }
}

interface Sample extends Load {
  readonly cpuMicros: number
  readonly postgresMicros: number | undefined
}

const rateOf = ({ requests, seconds }: Sample) => requests / seconds
const cpuOf = ({ requests, cpuMicros, postgresMicros = Number.NaN }: Sample) =>
  (cpuMicros + postgresMicros) / requests

async function measured(
  { program, client }: App,
  layer: 'http' | 'direct',
  load: RequestLoad,
  { server }: DurablePostgres,
): Promise<Sample> {
  const cpu = await program.call('cpuMicros')
  const before = postgresCpu(server.pid())
  const result = await (layer === 'http' ? overHttp(client, load) : program.call('place', load))
  const postgresMicros = cpuMicrosBetween(before, postgresCpu(server.pid()))
  return { ...result, cpuMicros: (await program.call('cpuMicros')) - cpu, postgresMicros }
}

function overHttp(client: HttpClient, load: RequestLoad): Promise<Load> {
  return closedLoop(load, () =>
    client.post({
      path: '/orders',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      body: BODY,
      expectedStatus: 201,
    }),
  )
}

/** An entrant at one concurrency, beside the two entrants that it is compared with. */
interface Line {
  readonly entrant: Entrant
  readonly concurrency: number
  readonly samples: readonly Sample[]
  readonly ofBare: Ratio
  readonly ofClaimThenWork: Ratio
  /**
   * Processor time of application and server together beyond that of the bare transaction, as a
   * share of the latter.
   */
  readonly addedCpu: Ratio
}

function compared(samples: Sample[][], concurrency: number): Line[] {
  const rates = samples.map((own) => own.map(rateOf))
  const [bare = [], claimThenWork = []] = rates
  const cpus = samples.map((own) => own.map(cpuOf))
  const [bareCpu = []] = cpus
  return entrants.map((entrant, at) => ({
    entrant,
    concurrency,
    samples: samples[at] ?? [],
    ofBare: pairwiseRatio(rates[at] ?? [], bare),
    ofClaimThenWork: pairwiseRatio(rates[at] ?? [], claimThenWork),
    addedCpu: pairwiseRatio(
      (cpus[at] ?? []).map((micros, round) => micros - (bareCpu[round] ?? Number.NaN)),
      bareCpu,
    ),
  }))
}

function tableOf(
  layer: 'http' | 'direct',
  event: boolean,
  { rounds }: BenchOptions,
  lines: readonly Line[],
): Table {
  const how = layer === 'http' ? 'over Express' : 'without HTTP'
  return {
    title: `One insert${event ? ' and one event' : ''}, ${how}, ${rounds} rounds, pool of ${CONNECTIONS}`,
    columns: [
      '',
      'at once',
      'req/s',
      'of bare',
      'of claim-then-work',
      'CPU beyond bare, of bare',
      'app CPU µs/req',
      'Postgres CPU µs/req',
      'p50 ms',
      'p99 ms',
    ],
    rows: lines.map((line) => {
      const { entrant, concurrency, samples } = line
      const requests = sum(samples.map((sample) => sample.requests))
      return [
        entrant.name,
        concurrency,
        Math.round(median(samples.map(rateOf))),
        line.ofBare,
        line.ofClaimThenWork,
        line.addedCpu,
        sum(samples.map(({ cpuMicros }) => cpuMicros)) / requests,
        sum(samples.map(({ postgresMicros }) => postgresMicros ?? Number.NaN)) / requests,
        median(samples.map(({ p50 }) => p50)),
        median(samples.map(({ p99 }) => p99)),
      ]
    }),
  }
}

/** The budgets are those of Oncekey without prepared statements, which is the default. */
function budgetsOf(event: boolean, lines: readonly Line[]): Budget[] {
  const ours = lines.filter(({ entrant }) => entrant.contender === 'Oncekey' && !entrant.prepare)
  return ours.flatMap(({ entrant, concurrency, ofBare, ofClaimThenWork, addedCpu }) => {
    const what = `${entrant.name}, ${event ? 'with an event' : 'no event'}, ${concurrency} at once`
    const ofBareBudget: Budget = {
      what: `${what}, of the bare transaction`,
      bound: 'at least',
      limit: event ? 0.8 : 0.65,
      measured: ofBare.median,
    }
    const ofClaimBudget: Budget = {
      what: `${what}, of claim-commit-then-work`,
      bound: 'at least',
      limit: 1.3,
      measured: ofClaimThenWork.median,
    }
    const cpuBudget: Budget = {
      what: `${what}, processor time beyond the bare transaction’s, of its own`,
      bound: 'at most',
      limit: event ? 0.3 : 0.55,
      measured: addedCpu.median,
    }
    return [
      ofBareBudget,
      ...(event ? [] : [ofClaimBudget]),
      ...(concurrency === CPU_CONCURRENCY ? [cpuBudget] : []),
    ]
  })
}

const CONNECTIONS = 20
/** The concurrency for which the design has a budget of processor time. */
const CPU_CONCURRENCY = 16
const BODY = JSON.stringify(ORDER)

const NOTES = [
  'Postgres flushes every commit (fsync and synchronous_commit on). App CPU is the process with Express, the handler and the store; Postgres CPU is all processes of the server. The load comes from a third process, so with more than one request at once the three of them share the processors, and the ratios tell what a request costs in all.',
]
