import type { Bench } from '../bench.ts'
import { durablePostgres } from '../durable-postgres.ts'
import { median, pairwiseRatio } from '../median.ts'
import type { BenchOptions } from '../options.ts'
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
  about: 'deliveries a second, with and without a dead endpoint; signatures a second',

  async run(options, programs) {
    const postgres = await durablePostgres()
    const sender = await programs.start<WebhookSender>('webhook-sender')
    try {
      await sender.call('open', await postgres.database())
      const deliveries = await delivered(options, programs, sender)
      const signing = await signed(options, sender)
      await sender.call('close')
      return {
        tables: [...deliveries.tables, signing],
        budgets: deliveries.budgets,
        notes: [
          'Sender, receiver and Postgres share the machine. Each delivery has a connection of its own, is claimed and settled in Postgres with a flushed commit (shared by what ends together), and its attempt is kept. The dead endpoint takes what is sent and never answers; it is the first to be registered, and gets every event.',
        ],
        postgresVersion: postgres.version,
      }
    } finally {
      await sender.stop()
      await postgres.stop()
    }
  },
}

async function delivered(
  { rounds, requests }: BenchOptions,
  programs: Programs,
  sender: Program<WebhookSender>,
) {
  const receiver = await programs.start<WebhookReceiver>('webhook-receiver')
  const port = await receiver.call('listen')
  const events = Math.max(1, Math.round(requests / LIVING))
  const rate = async (dead: number) => {
    const given = { port, events, living: LIVING, dead, concurrency: CONCURRENCY }
    return (events * LIVING) / (await sender.call('deliver', given))
  }
  const [without = [], withDead = []] = await interleaved(rounds, [() => rate(0), () => rate(1)])
  await receiver.stop()
  const ratio = pairwiseRatio(withDead, without)
  const table: Table = {
    title: `${events * LIVING} deliveries to ${LIVING} endpoints of a local receiver, ${CONCURRENCY} at once, ${rounds} rounds`,
    columns: ['', 'deliveries/s', 'ratio'],
    rows: [
      ['all endpoints answer', Math.round(median(without)), undefined],
      ['and one more is dead', Math.round(median(withDead)), ratio],
    ],
  }
  const budget = {
    what: 'Rate of the others with one dead endpoint among a hundred',
    bound: 'at least' as const,
    limit: 0.95,
    measured: ratio.median,
  }
  return { tables: [table], budgets: [budget] }
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
