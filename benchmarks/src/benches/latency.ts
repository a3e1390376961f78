import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type DurablePostgres, durablePostgres, onClient } from '../durable-postgres.ts'
import { median } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import type { LatencyApp } from '../programs/latency-app.ts'
import type { Program, Programs } from '../programs.ts'
import type { QueueName } from '../queues/queues.ts'
import type { Table } from '../report.ts'
import { interleaved } from '../rounds.ts'
import { TAIL_COLUMNS, tailOf } from '../tail.ts'

/** How long a request takes, and how soon after it its event reaches the handler. */
export const latencyBench: Bench = {
  name: 'latency',
  about: 'request, and commit to handler, at a fixed rate: quiet, slow handlers, an old snapshot',

  async run(options, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const pairs: Pair[] = []
      for (const entrant of ENTRANTS) pairs.push(await start(programs, postgres, entrant))
      const turns = pairs.flatMap((pair) =>
        pair.entrant.percents.map((slowPercent) => ({ pair, slowPercent })),
      )
      const samples = await interleaved(
        Math.min(options.rounds, MOST_ROUNDS),
        turns.map(
          ({ pair, slowPercent }) =>
            () =>
              inTurn(pair, slowPercent, options),
        ),
      )
      const lines = turns.map(({ pair: { entrant }, slowPercent }, at): Line => {
        const situation = slowPercent === 0 ? QUIET : SLOW
        return { entrant, situation, samples: samples[at] ?? [] }
      })
      for (const pair of pairs) lines.push(...(await withOldSnapshot(pair, options)))
      await Promise.all(pairs.map(({ stop }) => stop()))
      return { ...reportOf(lines, options), postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

interface Entrant {
  readonly name: string
  readonly queue: QueueName
  /** Whether the process with the handlers also takes requests. */
  readonly together: boolean
  /** How many of a hundred handlers take two seconds, spread evenly. */
  readonly percents: readonly number[]
}

const ENTRANTS: readonly Entrant[] = [
  { name: 'Oncekey', queue: 'Oncekey', together: false, percents: [0, 1] },
  { name: 'Oncekey, one process', queue: 'Oncekey', together: true, percents: [0, 1] },
  { name: 'graphile-worker', queue: 'graphile-worker', together: false, percents: [0, 1] },
  // With slow handlers pg-boss would never catch up, because a batch takes as long as its slowest
  // event.
  { name: 'pg-boss', queue: 'pg-boss', together: false, percents: [0] },
]

const QUIET = 'quiet'
const SLOW = '1 % of handlers take 2 s'
const CONCURRENCY = 50
const MOST_ROUNDS = 3

/** The process that takes requests, and the process with the handlers. */
interface Pair {
  readonly entrant: Entrant
  readonly url: string
  readonly requests: Program<LatencyApp>
  readonly handlers: Program<LatencyApp>
  /** The number of jobs so far. */
  sent: number
  stop(): Promise<void>
}

async function start(
  programs: Programs,
  postgres: DurablePostgres,
  entrant: Entrant,
): Promise<Pair> {
  const url = await postgres.emptyDatabase()
  const open = async () => {
    const program = await programs.start<LatencyApp>('latency-app')
    await program.call('open', entrant.queue, url, CONCURRENCY)
    return program
  }
  const handlers = await open()
  await handlers.call('prepare')
  const requests = entrant.together ? handlers : await open()
  const stop = async () => {
    await Promise.all([...new Set([requests, handlers])].map((program) => program.stop()))
  }
  return { entrant, url, requests, handlers, sent: 0, stop }
}

/** Milliseconds, for each request or event. */
interface Sample {
  /** From when the request was sent until its commit was known. */
  readonly ofRequest: readonly number[]
  readonly fromCommit: readonly number[]
  /** Requests a second that were really sent. */
  readonly rate: number
}

interface Line {
  readonly entrant: Entrant
  readonly situation: string
  readonly samples: readonly Sample[]
}

async function inTurn(pair: Pair, slowPercent: number, options: BenchOptions): Promise<Sample> {
  await pair.handlers.call('slow', slowPercent)
  await pair.handlers.call('consume')
  const sample = await measured(pair, options)
  await settled(pair)
  return sample
}

/**
 * Measures at the start and at the end of a time in which a snapshot is held open, so that vacuum
 * can remove no row version.
 */
async function withOldSnapshot(pair: Pair, options: BenchOptions): Promise<Line[]> {
  const { entrant, handlers, url } = pair
  const windows = Math.max(2, Math.ceil(options.heldSeconds / options.seconds))
  await handlers.call('slow', 0)
  await handlers.call('consume')
  const samples = await onClient(url, async (client) => {
    await client.query('begin isolation level repeatable read')
    await client.query('select count(*) from orders')
    const samples: Sample[] = []
    for (let n = 0; n < windows; n += 1) samples.push(await measured(pair, options))
    await client.query('commit')
    return samples
  })
  await settled(pair)
  const line = (situation: string, sample: Sample | undefined): Line => ({
    entrant,
    situation,
    samples: sample === undefined ? [] : [sample],
  })
  return [
    line('an old snapshot, at first', samples[0]),
    line(`an old snapshot, after ${(windows - 1) * options.seconds} s`, samples.at(-1)),
  ]
}

async function measured(pair: Pair, { rate, seconds }: BenchOptions): Promise<Sample> {
  const { requests, handlers } = pair
  const from = pair.sent
  const load = await requests.call('send', { from, perSecond: rate, seconds })
  const to = from + load.requests
  pair.sent = to
  let entered: readonly number[] = []
  while (entered.length < to - from) {
    await setTimeout(100)
    entered = await handlers.call('entered', from, to)
  }
  const { asked, committed } = await requests.call('sent', from, to)
  return {
    ofRequest: committed.map((at, n) => at - (asked[n] ?? Number.NaN)),
    fromCommit: entered.map((at, n) => at - (committed[n] ?? Number.NaN)),
    rate: load.requests / load.seconds,
  }
}

async function settled({ handlers }: Pair): Promise<void> {
  while ((await handlers.call('pending')) > 0) await setTimeout(100)
  await handlers.call('stop')
}

function reportOf(lines: readonly Line[], { rate, seconds }: BenchOptions) {
  const table: Table = {
    title: `Milliseconds, ${rate.toLocaleString('en')} requests a second, ${seconds} s at a time`,
    columns: [
      '',
      '',
      'events/s',
      ...TAIL_COLUMNS.map((column) => `request: ${column}`),
      ...TAIL_COLUMNS.map((column) => `commit to handler: ${column}`),
    ],
    rows: lines.map(({ entrant, situation, samples }) => [
      entrant.name,
      situation,
      Math.round(median(samples.map((sample) => sample.rate))),
      ...tailOf(samples.map(({ ofRequest }) => ofRequest)),
      ...tailOf(samples.map(({ fromCommit }) => fromCommit)),
    ]),
  }
  const budgets = lines
    .filter(({ entrant }) => entrant.queue === 'Oncekey')
    .flatMap(({ entrant, situation, samples }): Budget[] => {
      const [p50 = Number.NaN, p99 = Number.NaN] = tailOf(samples.map((each) => each.fromCommit))
      const budget = (what: string, limit: number, measured: number): Budget => ({
        what: `${entrant.name}, ${situation}: ${what} from commit to handler, ms`,
        bound: 'at most',
        limit,
        measured,
      })
      return [budget('p50', 10, p50), budget('p99', 50, p99)]
    })
  return { tables: [table], budgets, notes: NOTES }
}

const NOTES = [
  'Each request inserts an order and adds an event or job, in one commit: ours with a key and its response, the peers in a bare transaction. Request: from when it is sent until its process knows of the commit, without HTTP. Commit to handler: from then on. Quantiles are the median of the rounds, the worst is that of all. Oncekey: a relay as it is without options, in a process of its own or in that of the requests, which then wakes it. graphile-worker is told by NOTIFY; localQueue of 500. pg-boss polls, every half second where it found nothing, at once where it did.',
  'The old snapshot is a REPEATABLE READ transaction that stays open: what is updated or deleted meanwhile leaves row versions that nobody may clear away.',
]
