import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { versionOf } from '../machine.ts'
import { median, pairwiseRatio } from '../median.ts'
import { cpuMicrosBetween, postgresCpu } from '../postgres-cpu.ts'
import type { QueueRunner } from '../programs/queue-runner.ts'
import type { Program, Programs } from '../programs.ts'
import type { QueueName } from '../queues/queues.ts'
import type { Table } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** Oncekey and its peers deliver the same backlog to a function that does nothing. */
export const relayPeersBench: Bench = {
  name: 'relay-peers',
  about: 'jobs a second out of a backlog: ours, graphile-worker, pg-boss, pg-transactional-outbox',

  async run({ rounds, jobs }, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const contenders: Contender[] = []
      for (const entrant of ENTRANTS) {
        const contender = await start(programs, postgres, entrant, jobs)
        await checkWork(contender)
        contenders.push(contender)
      }
      const samples = await interleaved(
        rounds,
        contenders.map((contender) => () => drained(contender, postgres)),
      )
      await Promise.all(contenders.map(({ program }) => program.stop()))
      return { ...reportOf(contenders, samples, rounds), postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

interface Entrant {
  readonly name: string
  readonly queue: QueueName
  /** How many jobs are under way at once. */
  readonly concurrency: number
  readonly package?: string
  /** How many times as fast as this we have to be. */
  readonly limit?: number
}

const ENTRANTS: readonly Entrant[] = [
  { name: 'Oncekey', queue: 'Oncekey', concurrency: 50 },
  {
    name: 'graphile-worker, as its performance test',
    queue: 'graphile-worker',
    concurrency: 24,
    package: 'graphile-worker',
    limit: 1.5,
  },
  {
    name: 'graphile-worker, 50 at once',
    queue: 'graphile-worker',
    concurrency: 50,
    package: 'graphile-worker',
    limit: 1.5,
  },
  { name: 'pg-boss', queue: 'pg-boss', concurrency: 50, package: 'pg-boss', limit: 1 },
  {
    name: 'pg-transactional-outbox',
    queue: 'pg-transactional-outbox',
    concurrency: 50,
    package: 'pg-transactional-outbox',
    limit: 1,
  },
]

interface Contender {
  readonly entrant: Entrant
  readonly jobs: number
  readonly program: Program<QueueRunner>
}

async function start(
  programs: Programs,
  postgres: DurablePostgres,
  entrant: Entrant,
  jobs: number,
): Promise<Contender> {
  const { queue, concurrency } = entrant
  const program = await programs.start<QueueRunner>('queue-runner')
  await program.call('open', queue, await postgres.emptyDatabase(), concurrency)
  // It gets a smaller backlog: each of its batches reads the whole backlog, so the full one would
  // take minutes.
  const share = queue === 'pg-transactional-outbox' ? 10 : 1
  return { entrant, jobs: Math.ceil(jobs / share), program }
}

/** Only contenders that deliver each job once, and record that it was done, are measured. */
async function checkWork({ entrant: { name }, program }: Contender): Promise<void> {
  await program.call('fill', CHECKED)
  await program.call('start')
  // The jobs of ours are not counted as pending before its consumer has its first cursors.
  while ((await program.call('progress')).total < CHECKED) await setTimeout(20)
  while ((await program.call('pending')) > 0) await setTimeout(20)
  await program.call('stop')
  const times = await program.call('times')
  const wrong = times.filter((each) => each !== 1).length
  if (times.length !== CHECKED || wrong > 0) {
    throw new Error(`${name} did not handle each of ${CHECKED} jobs once: ${times}`)
  }
}

const CHECKED = 100

interface Sample {
  readonly jobs: number
  readonly seconds: number
  /** Processor time for each job. Microseconds. */
  readonly client: number
  readonly server: number
}

async function drained({ jobs, program }: Contender, { server }: DurablePostgres): Promise<Sample> {
  await program.call('fill', jobs)
  const cpu = await program.call('cpuMicros')
  const before = postgresCpu(server.pid())
  const startedAt = await program.call('start')
  for (;;) {
    const { total, lastAt } = await program.call('progress')
    if (total < jobs) {
      await setTimeout(50)
      continue
    }
    // The processor time is read twice. The second reading includes writes after the last job,
    // which belong to the work; only the first includes the processes of connections that `stop`
    // closes.
    const handled = postgresCpu(server.pid())
    await program.call('stop')
    const stopped = new Map([...handled, ...postgresCpu(server.pid())])
    const postgresMicros = cpuMicrosBetween(before, stopped)
    return {
      jobs,
      seconds: (lastAt - startedAt) / 1000,
      client: ((await program.call('cpuMicros')) - cpu) / jobs,
      server: (postgresMicros ?? Number.NaN) / jobs,
    }
  }
}

function reportOf(contenders: readonly Contender[], samples: Sample[][], rounds: number) {
  const rates = samples.map((own) => own.map(({ jobs, seconds }) => jobs / seconds))
  const cpus = samples.map((own) => own.map(({ client, server }) => client + server))
  const [ours = []] = rates
  const [oursCpu = []] = cpus
  const table: Table = {
    title: `A backlog handed to a function that does nothing, one process, ${rounds} rounds`,
    columns: [
      '',
      'version',
      'jobs',
      'jobs/s',
      'Oncekey against it',
      'Oncekey against it, by CPU',
      'process CPU µs/job',
      'Postgres CPU µs/job',
    ],
    rows: contenders.map(({ entrant, jobs }, at) => [
      entrant.name,
      entrant.package === undefined ? '' : versionOf(entrant.package),
      jobs,
      Math.round(median(rates[at] ?? [])),
      pairwiseRatio(ours, rates[at] ?? []),
      pairwiseRatio(cpus[at] ?? [], oursCpu),
      median((samples[at] ?? []).map(({ client }) => client)),
      median((samples[at] ?? []).map(({ server }) => server)),
    ]),
  }
  const budgets = contenders.slice(1).map(
    ({ entrant: { name, limit = 1 } }, at): Budget => ({
      what: `Oncekey against ${name}`,
      bound: 'at least',
      limit,
      measured: pairwiseRatio(ours, rates[at + 1] ?? []).median,
    }),
  )
  return { tables: [table], budgets, notes: NOTES }
}

const NOTES = [
  `Each has first handled ${CHECKED} jobs, each of them once. Measured from its start to the last job handed out. Oncekey: as it is. graphile-worker: the configuration of its documentation’s performance page (24 concurrent jobs, a pool of 25, localQueue of 500, completeJobBatchDelay and failJobBatchDelay 0), and the same with as many jobs at once as the others. pg-boss: two workers with batches of 500, no priorities, told to go on at once after a batch instead of by their interval; no maintenance. pg-transactional-outbox: its polling listener, 50 messages at once, all marked parallel, asked for again when half are done, without its two protections; a tenth of the backlog, because each batch goes over all of it: that is in its favour.`,
  'Of each peer the last version that runs on Node 20 is measured: graphile-worker 0.18 and pg-boss 11 and 12 need Node 22.',
  'Not the same promises: the peers are queues, a row is taken away or marked when its job is done, and who wants it twice puts it there twice. Ours is a log that any number of consumers read, and writes a cursor for each batch. The peers’ jobs were added in batches, our events one transaction each.',
]
