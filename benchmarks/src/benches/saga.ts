import { waitFor } from '@oncekey/test-servers'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type DurablePostgres, durablePostgres, onClient } from '../durable-postgres.ts'
import { median, pairwiseRatio } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import { cpuMicrosBetween, postgresCpu } from '../postgres-cpu.ts'
import type { SagaRunnerProgram } from '../programs/saga-runner.ts'
import type { Program, Programs } from '../programs.ts'
import type { Ratio, Table } from '../report.ts'
import { interleaved } from '../rounds.ts'
import { STEPS } from '../sagas/saga-contender.ts'
import { type SagaName, sagas } from '../sagas/sagas.ts'

/** What a step of a saga costs in addition to its own transaction, and what one of a peer costs. */
export const sagaBench: Bench = {
  name: 'saga',
  about: 'sagas of five steps, ours and DBOS: steps a second, and flushes for each',

  async run(options, programs) {
    // Each of the four programs has a pool, and DBOS has a second one.
    const postgres = await durablePostgres({
      'pg_stat_statements.track': 'none',
      max_connections: '200',
    })
    try {
      const flushes: Flushes[] = []
      for (const name of NAMES) flushes.push(await flushesOf(programs, postgres, name))
      const lines = await timed(programs, postgres, options)
      return {
        tables: [
          {
            title: `Flushes of a run of ${STEPS} steps`,
            columns: ['', 'a run', 'a step', 'to begin and end a run'],
            rows: flushes.map(({ name, run, step, rest }) => [name, run, step, rest]),
          },
          tableOf(lines, options),
        ],
        budgets: [...flushes.flatMap(budgetOfFlushes), ...lines.flatMap(budgetAgainstPeer)],
        notes: NOTES,
        postgresVersion: postgres.version,
      }
    } finally {
      await postgres.stop()
    }
  },
}

const NAMES = Object.keys(sagas) as SagaName[]
const [BARE, LOCAL, OUTSIDE, PEER] = NAMES as [SagaName, SagaName, SagaName, SagaName]

interface Flushes {
  readonly name: SagaName
  readonly run: number
  readonly step: number
  readonly rest: number
}

/** Flushes of a run beside those of its steps. DBOS records the end of a run by itself. */
const restOf = (name: SagaName) => (name === BARE ? 0 : name === PEER ? 2 : 1)

async function flushesOf(
  programs: Programs,
  postgres: DurablePostgres,
  name: SagaName,
): Promise<Flushes> {
  const runs = 20
  const url = await postgres.database()
  const flushed = async (count: number): Promise<number> => {
    const before = await postgres.walFlushes()
    const program = await programs.start<SagaRunnerProgram>('saga-runner')
    await program.call('open', name, url)
    if (count > 0) await program.call('run', count, 1)
    await program.call('close')
    await program.stop()
    await noConnections(postgres, url)
    return (await postgres.walFlushes()) - before
  }
  // The first opening migrates, and the second shows what opening flushes otherwise.
  await flushed(0)
  const idle = await flushed(0)
  const run = ((await flushed(runs)) - idle) / runs
  const rest = restOf(name)
  return { name, run, step: (run - rest) / STEPS, rest }
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

interface Sample {
  readonly rate: number
  /** Processor time of a step. Microseconds. */
  readonly client: number
  readonly server: number
}

interface Line {
  readonly name: SagaName
  readonly many: number
  readonly samples: readonly Sample[]
  readonly ofBare: Ratio
  readonly ofPeer: Ratio
}

async function timed(
  programs: Programs,
  postgres: DurablePostgres,
  { rounds, requests, concurrency }: BenchOptions,
): Promise<Line[]> {
  const started: Program<SagaRunnerProgram>[] = []
  for (const name of NAMES) {
    const program = await programs.start<SagaRunnerProgram>('saga-runner')
    await program.call('open', name, await postgres.database())
    started.push(program)
  }
  const runs = Math.max(1, Math.ceil(requests / STEPS))
  const lines: Line[] = []
  for (const many of concurrency) {
    const samples = await interleaved(
      rounds,
      started.map((program) => () => sampled(program, postgres, runs, many)),
    )
    const rates = samples.map((own) => own.map(({ rate }) => rate))
    const [bare = []] = rates
    for (const [at, name] of NAMES.entries()) {
      lines.push({
        name,
        many,
        samples: samples[at] ?? [],
        ofBare: pairwiseRatio(rates[at] ?? [], bare),
        ofPeer: pairwiseRatio(rates[at] ?? [], rates[NAMES.indexOf(PEER)] ?? []),
      })
    }
  }
  for (const program of started) {
    await program.call('close')
    await program.stop()
  }
  return lines
}

async function sampled(
  program: Program<SagaRunnerProgram>,
  { server }: DurablePostgres,
  runs: number,
  many: number,
): Promise<Sample> {
  const steps = runs * STEPS
  const cpu = await program.call('cpuMicros')
  const before = postgresCpu(server.pid())
  const { seconds } = await program.call('run', runs, many)
  const micros = cpuMicrosBetween(before, postgresCpu(server.pid())) ?? Number.NaN
  const client = (await program.call('cpuMicros')) - cpu
  return { rate: steps / seconds, client: client / steps, server: micros / steps }
}

function tableOf(lines: readonly Line[], { rounds }: BenchOptions): Table {
  return {
    title: `Steps a second, runs of ${STEPS} steps, each inserts an order, ${rounds} rounds`,
    columns: [
      '',
      'at once',
      'steps/s',
      'of bare',
      `of ${PEER}`,
      'process CPU µs/step',
      'Postgres CPU µs/step',
    ],
    rows: lines.map(({ name, many, samples, ofBare, ofPeer }) => [
      name,
      `${many}`,
      Math.round(median(samples.map(({ rate }) => rate))),
      ofBare,
      ofPeer,
      median(samples.map(({ client }) => client)),
      median(samples.map(({ server }) => server)),
    ]),
  }
}

function budgetOfFlushes({ name, step }: Flushes): Budget[] {
  if (!isOurs(name)) return []
  const what = `${name}: flushes for a step, the beginning of its run not counted`
  return [{ what, bound: 'at most', limit: 1, measured: step }]
}

function budgetAgainstPeer({ name, many, ofPeer }: Line): Budget[] {
  if (!isOurs(name)) return []
  const what = `${name}, ${many} at once: steps a second, of ${PEER}`
  return [{ what, bound: 'at least', limit: 1, measured: ofPeer.median }]
}

const isOurs = (name: SagaName) => name === LOCAL || name === OUTSIDE

const NOTES = [
  'Bare: BEGIN, the insert, COMMIT, and no memory of it. Local: the insert and the row of the step in that transaction, and one commit more for each run. Outside: the insert in a transaction that an outside step asks for after its call, which here takes no time.',
  'DBOS (5.3 runs on Node 20) starts and runs each workflow in its own process, without a queue and without traces, with its tables in the same database, a pool of 20 for them and one of 20 for the steps. A step is DBOS.runStep with the insert in autocommit; the step is recorded after it, by a commit of its own. So a crash in between inserts the order twice, which neither kind of our steps does. A transaction step of DBOS does not either; it does all that runStep does, and besides looks for a second record and writes it beside the insert.',
]
