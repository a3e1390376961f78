import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { ORDER } from '../contenders/order.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { type HttpClient, httpClient } from '../http-client.ts'
import { closedLoop, type Load } from '../load.ts'
import { median, pairwiseRatio, sum } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import type { WatchedApp, WatchedOptions } from '../programs/watched-app.ts'
import type { Program, Programs } from '../programs.ts'
import type { Ratio } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** What metrics and traces cost a request. */
export const telemetryBench: Bench = {
  name: 'telemetry',
  about:
    'Express on Postgres watched by nobody, by Prometheus metrics, by the SDK of OpenTelemetry alone, and by both',

  async run(options, programs) {
    const postgres = await durablePostgres()
    try {
      const apps = await Promise.all(watches.map((watch) => start(programs, postgres, watch)))
      const samples = await interleaved(
        options.rounds,
        apps.map((app) => () => measured(app, options)),
      )
      await Promise.all(apps.map(({ stop }) => stop()))
      const samplesOf = (watch: WatchedOptions['watch']) => samples[watches.indexOf(watch)] ?? []
      const rows = samples.map((own, at): Row => {
        const watch = watches[at] ?? 'nobody'
        const isOurs = watch === 'the SDK and otel'
        const ofSdk = isOurs ? ratiosOf(own, samplesOf('the SDK alone')) : undefined
        return { watch, own, ofNobody: ratiosOf(own, samplesOf('nobody')), ofSdk }
      })
      return {
        tables: [
          {
            title: `${options.requests} POSTs a round, ${CONNECTIONS} at once, ${options.rounds} rounds`,
            columns: [
              'watched by',
              'req/s',
              'of unwatched',
              'of the SDK alone',
              'CPU µs/req',
              'of unwatched, by CPU',
              'of the SDK alone, by CPU',
            ],
            rows: rows.map(({ watch, own, ofNobody, ofSdk }) => [
              watch,
              Math.round(median(own.map(rateOf))),
              ofNobody.rate,
              ofSdk?.rate,
              sum(own.map(({ cpuMicros }) => cpuMicros)) / sum(own.map(({ requests }) => requests)),
              ofNobody.cpu,
              ofSdk?.cpu,
            ]),
          },
        ],
        budgets: rows.flatMap(({ watch, ofNobody, ofSdk }) => {
          if (watch === 'prometheus') return [budget('with prometheus, of it without', ofNobody)]
          return ofSdk ? [budget('with the SDK and otel, of it with the SDK alone', ofSdk)] : []
        }),
        notes: [
          'CPU is the whole application process. The SDK has a span of the server around each request, samples all of them, and drops the batches of spans where they would be sent.',
        ],
        postgresVersion: postgres.version,
      }
    } finally {
      await postgres.stop()
    }
  },
}

const watches = [
  'nobody',
  'prometheus',
  'the SDK alone',
  'the SDK and otel',
] as const satisfies readonly WatchedOptions['watch'][]

interface App {
  readonly program: Program<WatchedApp>
  readonly client: HttpClient
  stop(): Promise<void>
}

interface Sample extends Load {
  readonly cpuMicros: number
}

const rateOf = ({ requests, seconds }: Sample) => requests / seconds
const cpuOf = ({ cpuMicros, requests }: Sample) => cpuMicros / requests

interface Row {
  readonly watch: WatchedOptions['watch']
  readonly own: readonly Sample[]
  readonly ofNobody: Ratios
  readonly ofSdk: Ratios | undefined
}

interface Ratios {
  readonly rate: Ratio
  readonly cpu: Ratio
}

const ratiosOf = (own: readonly Sample[], others: readonly Sample[]): Ratios => ({
  rate: pairwiseRatio(own.map(rateOf), others.map(rateOf)),
  cpu: pairwiseRatio(others.map(cpuOf), own.map(cpuOf)),
})

const budget = (what: string, { rate }: Ratios): Budget => ({
  what: `Express on Postgres ${what}, by throughput`,
  bound: 'at least',
  limit: 0.97,
  measured: rate.median,
})

async function start(
  programs: Programs,
  postgres: DurablePostgres,
  watch: WatchedOptions['watch'],
): Promise<App> {
  const program = await programs.start<WatchedApp>('watched-app')
  const url = await postgres.database()
  const client = httpClient(
    await program.call('listen', { url, connections: CONNECTIONS, watch }),
    CONNECTIONS,
  )
  const stop = async () => {
    await client.close()
    await program.stop()
  }
  return { program, client, stop }
}

async function measured({ program, client }: App, { requests }: BenchOptions): Promise<Sample> {
  const before = await program.call('cpuMicros')
  const load = await closedLoop({ requests, concurrency: CONNECTIONS }, () =>
    client.post({
      path: '/orders',
      headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
      body: JSON.stringify(ORDER),
      expectedStatus: 201,
    }),
  )
  return { ...load, cpuMicros: (await program.call('cpuMicros')) - before }
}

const CONNECTIONS = 16
