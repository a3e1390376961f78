import type { Bench } from '../bench.ts'
import { type Entrant, entrants } from '../contenders/entrants.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import type { Load } from '../load.ts'
import { median, pairwiseRatio } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import { cpuMicrosBetween, postgresCpu } from '../postgres-cpu.ts'
import type { OrdersApp } from '../programs/orders-app.ts'
import type { Program, Programs } from '../programs.ts'
import { interleaved } from '../rounds.ts'

/** What an event costs the request that emits it. */
export const emitBench: Bench = {
  name: 'emit',
  about: 'a request with and without an event: bare transaction with an insert by hand, and ours',

  async run(options, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const apps: App[] = []
      for (const entrant of ENTRANTS) {
        for (const event of [false, true])
          apps.push(await start(programs, postgres, entrant, event))
      }
      for (const app of apps) await placed(app, postgres, 2 * options.requests)
      const samples = await interleaved(
        options.rounds,
        apps.map((app) => () => placed(app, postgres, options.requests)),
      )
      await Promise.all(apps.map(({ program }) => program.stop()))
      return { ...reportOf(apps, samples, options), postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

const ENTRANTS = entrants.filter(
  ({ contender, prepare }) => contender !== 'claim, then work' && !prepare,
)
const AT_ONCE = 16

interface App {
  readonly name: string
  readonly event: boolean
  readonly program: Program<OrdersApp>
}

async function start(
  programs: Programs,
  postgres: DurablePostgres,
  { name, contender, pipeline, prepare }: Entrant,
  event: boolean,
): Promise<App> {
  const program = await programs.start<OrdersApp>('orders-app')
  const url = await postgres.database()
  const connections = AT_ONCE + 4
  await program.call('listen', { contender, url, connections, pipeline, prepare, event })
  return { name, event, program }
}

interface Sample extends Load {
  readonly app: number
  readonly server: number
}

/** Without HTTP, because only the work in the transaction is compared. */
async function placed(
  { program }: App,
  { server }: DurablePostgres,
  requests: number,
): Promise<Sample> {
  const cpu = await program.call('cpuMicros')
  const before = postgresCpu(server.pid())
  const load = await program.call('place', { requests, concurrency: AT_ONCE })
  const postgresMicros = cpuMicrosBetween(before, postgresCpu(server.pid()))
  return {
    ...load,
    app: ((await program.call('cpuMicros')) - cpu) / requests,
    server: (postgresMicros ?? Number.NaN) / requests,
  }
}

function reportOf(apps: readonly App[], samples: Sample[][], { rounds }: BenchOptions) {
  const rates = samples.map((own) => own.map(({ requests, seconds }) => requests / seconds))
  const cpus = samples.map((own) => own.map(({ app, server }) => app + server))
  const bareWithEvent = rates[1] ?? []
  return {
    tables: [
      {
        title: `One insert with and without one event, without HTTP, ${AT_ONCE} at once, ${rounds} rounds`,
        columns: [
          '',
          'event',
          'req/s',
          'of without',
          'of without, by CPU',
          'app CPU µs/req',
          'Postgres CPU µs/req',
          'p50 ms',
        ],
        rows: apps.map(({ name, event }, at) => {
          const own = samples[at] ?? []
          const without = event ? at - 1 : at
          return [
            name,
            event ? 'one' : 'none',
            Math.round(median(rates[at] ?? [])),
            pairwiseRatio(rates[at] ?? [], rates[without] ?? []),
            pairwiseRatio(cpus[without] ?? [], cpus[at] ?? []),
            median(own.map(({ app }) => app)),
            median(own.map(({ server }) => server)),
            median(own.map(({ p50 }) => p50)),
          ]
        }),
      },
    ],
    budgets: apps.flatMap(({ name, event }, at) =>
      event && at > 1
        ? [
            {
              what: `${name}, with an event, of the bare transaction with one`,
              bound: 'at least' as const,
              limit: 0.8,
              measured: pairwiseRatio(rates[at] ?? [], bareWithEvent).median,
            },
          ]
        : [],
    ),
    notes: [
      'Bare: BEGIN, the insert, an insert into the same outbox as a statement of its own, COMMIT. Ours: the statement that stores the response appends the event, so it is no round trip and no statement more.',
    ],
  }
}
