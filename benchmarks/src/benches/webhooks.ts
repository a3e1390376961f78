import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { median, pairwiseRatio } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import { cpuMicrosBetween, postgresCpu } from '../postgres-cpu.ts'
import type { PlainSender } from '../programs/plain-sender.ts'
import type { WebhookReceiver } from '../programs/webhook-receiver.ts'
import type { WebhookSender } from '../programs/webhook-sender.ts'
import type { Program, Programs } from '../programs.ts'
import type { Table } from '../report.ts'
import { interleaved } from '../rounds.ts'

/**
 * How many webhooks leave, whether a dead endpoint holds the others up, and what a signature costs.
 */
export const webhooksBench: Bench = {
  name: 'webhooks',
  about: 'deliveries a second, a dead endpoint, and beside a plain sender; signatures a second',

  async run(options, programs) {
    const postgres = await durablePostgres()
    const sender = await programs.start<WebhookSender>('webhook-sender')
    const plain = await programs.start<PlainSender>('plain-sender')
    try {
      await sender.call('open', await postgres.database())
      await plain.call('open', await postgres.database())
      const deliveries = await delivered(options, programs, postgres, { sender, plain })
      const signing = await signed(options, sender)
      await sender.call('close')
      await plain.call('close')
      return {
        tables: [...deliveries.tables, signing],
        budgets: deliveries.budgets,
        notes: NOTES,
        postgresVersion: postgres.version,
      }
    } finally {
      await sender.stop()
      await plain.stop()
      await postgres.stop()
    }
  },
}

interface Senders {
  readonly sender: Program<WebhookSender>
  readonly plain: Program<PlainSender>
}

/** What one delivery took. */
interface Sample {
  readonly seconds: number
  /** Processor time. Microseconds. */
  readonly client: number
  readonly server: number
}

async function delivered(
  { rounds, requests }: BenchOptions,
  programs: Programs,
  { server }: DurablePostgres,
  { sender, plain }: Senders,
) {
  const receiver = await programs.start<WebhookReceiver>('webhook-receiver')
  const port = await receiver.call('listen')
  const events = Math.max(1, Math.round(requests / LIVING))
  const given = { port, events, living: LIVING, concurrency: CONCURRENCY }
  const count = events * LIVING

  const sample = async (
    program: Program<{ cpuMicros(): number }>,
    deliver: () => Promise<number>,
  ): Promise<Sample> => {
    const cpu = await program.call('cpuMicros')
    const before = postgresCpu(server.pid())
    const seconds = await deliver()
    const micros = cpuMicrosBetween(before, postgresCpu(server.pid())) ?? Number.NaN
    const client = (await program.call('cpuMicros')) - cpu
    return { seconds: seconds / count, client: client / count, server: micros / count }
  }
  const ours = (dead: number) => () =>
    sample(sender, () => sender.call('deliver', { ...given, dead }))
  const theirs = (keepAlive: boolean) => async () => {
    const measured = await sample(plain, () => plain.call('deliver', { ...given, keepAlive }))
    const marked = await plain.call('delivered')
    if (marked !== count) throw new Error(`the plain sender marked ${marked} of ${count}`)
    return measured
  }
  const entrants = [
    { name: 'Oncekey, all endpoints answer', sample: ours(0) },
    { name: 'Oncekey, and one more is dead', sample: ours(1) },
    { name: 'plain sender, keep-alive', sample: theirs(true) },
    { name: 'plain sender, a connection each', sample: theirs(false) },
  ]
  const samples = await interleaved(
    rounds,
    entrants.map((entrant) => entrant.sample),
  )
  await receiver.stop()

  const [alive = [], withDead = [], kept = []] = samples
  const table: Table = {
    title: `${count} deliveries to ${LIVING} endpoints of a local receiver, ${CONCURRENCY} at once, ${rounds} rounds`,
    columns: [
      '',
      'deliveries/s',
      'first row against it',
      'first row against it, by CPU',
      'sender CPU µs',
      'Postgres CPU µs',
    ],
    rows: entrants.map(({ name }, at) => {
      const own = samples[at] ?? []
      return [
        name,
        Math.round(median(own.map(rateOf))),
        at === 0 ? undefined : against(alive, own, rateOf),
        at === 0 ? undefined : against(alive, own, (sample) => 1 / cpuOf(sample)),
        median(own.map(({ client }) => client)),
        median(own.map(({ server }) => server)),
      ]
    }),
  }
  const budgets: Budget[] = [
    {
      what: 'Rate of the others with one dead endpoint among a hundred',
      bound: 'at least',
      limit: 0.95,
      measured: against(withDead, alive, rateOf).median,
    },
    {
      what: 'Webhook deliveries a second, of a plain sender that keeps its connections',
      bound: 'at least',
      limit: 0.8,
      measured: against(alive, kept, rateOf).median,
    },
  ]
  return { tables: [table], budgets }
}

const rateOf = ({ seconds }: Sample) => 1 / seconds
const cpuOf = ({ client, server }: Sample) => client + server

function against(ours: readonly Sample[], theirs: readonly Sample[], of: (one: Sample) => number) {
  return pairwiseRatio(ours.map(of), theirs.map(of))
}

async function signed({ rounds, requests }: BenchOptions, sender: Program<WebhookSender>) {
  const rows: Table['rows'][number][] = []
  for (const bytes of [500, 4_000, 20_000]) {
    const rate = async (by: 'ours' | 'standardwebhooks') =>
      requests / (await sender.call('sign', by, bytes, requests))
    const [ours = [], theirs = []] = await interleaved(rounds, [
      () => rate('ours'),
      () => rate('standardwebhooks'),
    ])
    rows.push([
      `${bytes.toLocaleString('en')} bytes`,
      Math.round(median(ours)),
      Math.round(median(theirs)),
      pairwiseRatio(ours, theirs),
    ])
  }
  return {
    title: 'Signatures a second, HMAC-SHA256',
    columns: ['', '@oncekey/webhooks', 'standardwebhooks', 'ratio'],
    rows,
  }
}

const LIVING = 99
const CONCURRENCY = 50

const NOTES = [
  'Sender, receiver and Postgres share the machine, and the receiver counts for both. Each of our deliveries has a connection of its own, is claimed and settled in Postgres with a flushed commit (shared by what ends together), and its attempt is kept. The dead endpoint takes what is sent and never answers; it is the first to be registered, and gets every event.',
  'The plain sender reads a thousand rows at a time, signs, posts with undici and marks each row by an UPDATE in autocommit. It claims nothing (a second one would send everything again), keeps no attempt, tries nothing again, checks no address and limits no answer. As all endpoints are one host here, its kept connections are never idle, which is the best case for it; the second row opens a connection for each delivery, as we do.',
]
