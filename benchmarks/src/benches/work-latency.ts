import { setTimeout } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import type { BenchOptions } from '../options.ts'
import type { DeliveryApp } from '../programs/delivery-app.ts'
import type { SagaRunnerProgram } from '../programs/saga-runner.ts'
import type { WebhookReceiver } from '../programs/webhook-receiver.ts'
import type { Programs } from '../programs.ts'
import { interleaved } from '../rounds.ts'
import { type SagaName, sagas } from '../sagas/sagas.ts'
import { TAIL_COLUMNS, tailOf } from '../tail.ts'

/** How long webhooks and steps take while there is little to do. */
export const workLatencyBench: Bench = {
  name: 'work-latency',
  about: 'commit to endpoint of a webhook, and a step of a saga, at a fixed rate: p50 to the worst',

  async run(options, programs) {
    const postgres = await durablePostgres({
      'pg_stat_statements.track': 'none',
      max_connections: '200',
    })
    try {
      const entrants = [await deliveries(programs, postgres, options)]
      for (const name of Object.keys(sagas) as SagaName[]) {
        entrants.push(await steps(programs, postgres, name, options))
      }
      const samples = await interleaved(
        options.rounds,
        entrants.map(({ sample }) => sample),
      )
      for (const { stop } of entrants) await stop()
      return {
        tables: [
          {
            title: `Milliseconds, ${options.seconds} s at a time, ${options.rounds} rounds`,
            columns: ['', 'a second', ...TAIL_COLUMNS],
            rows: entrants.map(({ name, perSecond }, at) => [
              name,
              perSecond,
              ...tailOf(samples[at] ?? []),
            ]),
          },
        ],
        budgets: [],
        notes: NOTES,
        postgresVersion: postgres.version,
      }
    } finally {
      await postgres.stop()
    }
  },
}

interface Entrant {
  readonly name: string
  readonly perSecond: number
  /** The milliseconds that each webhook or step took. */
  sample(): Promise<number[]>
  stop(): Promise<void>
}

async function deliveries(
  programs: Programs,
  postgres: DurablePostgres,
  { rate, seconds }: BenchOptions,
): Promise<Entrant> {
  const receiver = await programs.start<WebhookReceiver>('webhook-receiver')
  const app = await programs.start<DeliveryApp>('delivery-app')
  await app.call('open', await postgres.database(), await receiver.call('listen'))
  const perSecond = Math.max(1, Math.round(rate / 10))
  let from = 0
  return {
    name: 'webhook, from commit to endpoint',
    perSecond,
    async sample() {
      const { requests } = await app.call('send', from, perSecond, seconds)
      const to = from + requests
      let received: number[] = []
      while (received.length < requests) {
        await setTimeout(50)
        received = await receiver.call('received', from, to)
      }
      const committed = await app.call('committed', from, to)
      from = to
      return received.map((at, n) => at - (committed[n] ?? Number.NaN))
    },
    async stop() {
      await app.stop()
      await receiver.stop()
    },
  }
}

async function steps(
  programs: Programs,
  postgres: DurablePostgres,
  name: SagaName,
  { rate, seconds }: BenchOptions,
): Promise<Entrant> {
  const program = await programs.start<SagaRunnerProgram>('saga-runner')
  await program.call('open', name, await postgres.database())
  const perSecond = Math.max(1, Math.round(rate / 20))
  return {
    name: `run of five steps, a step: ${name}`,
    perSecond,
    sample: () => program.call('paced', perSecond, seconds),
    async stop() {
      await program.call('close')
      await program.stop()
    },
  }
}

const NOTES = [
  'A webhook: the request’s commit is known, its event is relayed, fanned out to one of ten endpoints, claimed, signed and sent on a connection of its own; it counts when the receiver has its head. Requests, relay and worker are one process, with their default options. A step: from when it begins until the next one begins, so that its commit is in it; the last one until the run has ended. Quantiles are the median of the rounds, the worst is that of all.',
]
