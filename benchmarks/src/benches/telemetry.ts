import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { ORDER } from '../contenders/order.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { type HttpClient, httpClient } from '../http-client.ts'
import { closedLoop, type Load } from '../load.ts'
import { median, pairwiseRatio, sum } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import type { WatchedApp, WatchedOptions } from '../programs/watched-app.ts'
import type { Program, Programs } from '../programs.ts'
import { interleaved } from '../rounds.ts'

/** What metrics and traces cost a request. */
export const telemetryBench: Bench = {
  name: 'telemetry',
  about: 'Express on Postgres watched by nobody, with Prometheus metrics, and with OpenTelemetry',

  async run(options, programs) {
    const postgres = await durablePostgres()
    try {
      const apps = await Promise.all(watches.map((watch) => start(programs, postgres, watch)))
      const samples = await interleaved(
        options.rounds,
        apps.map((app) => () => measured(app, options)),
      )
      await Promise.all(apps.map(({ stop }) => stop()))
      const [bare = []] = samples
      const rows = samples.map((own, at) => ({
        watch: watches[at] ?? 'nobody',
        own,
        rate: pairwiseRatio(own.map(rateOf), bare.map(rateOf)),
        cpu: pairwiseRatio(bare.map(cpuOf), own.map(cpuOf)),
      }))
      return {
        tables: [
          {
            title: `${options.requests} POSTs a round, ${CONNECTIONS} at once, ${options.rounds} rounds`,
            columns: ['watched by', 'req/s', 'of unwatched', 'CPU µs/req', 'of unwatched, by CPU'],
            rows: rows.map(({ watch, own, rate, cpu }) => [
              watch,
              Math.round(median(own.map(rateOf))),
              rate,
              sum(own.map(({ cpuMicros }) => cpuMicros)) / sum(own.map(({ requests }) => requests)),
              cpu,
            ]),
          },
        ],
        budgets: rows.slice(1).map(({ watch, rate }) => ({
          what: `Express on Postgres with ${watch}, of it without, by throughput`,
          bound: 'at least',
          limit: 0.97,
          measured: rate.median,
        })),
        notes: [
          'CPU is the whole application process. OpenTelemetry samples every request and drops the batches of spans where they would be sent.',
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
  'otel',
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
