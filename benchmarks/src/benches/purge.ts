import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { ORDER } from '../contenders/order.ts'
import { durablePostgres, onClient } from '../durable-postgres.ts'
import { fillRecords } from '../filled-records.ts'
import { httpClient } from '../http-client.ts'
import { type Load, openLoop } from '../load.ts'
import { median, pairwiseRatio, sum } from '../median.ts'
import type { OrdersApp } from '../programs/orders-app.ts'
import type { Purger } from '../programs/purger.ts'
import type { Programs } from '../programs.ts'

/** Whether a purge slows requests down. */
export const purgeBench: Bench = {
  name: 'purge',
  about: 'latency of fresh requests at a fixed rate, while expired records are purged',

  async run({ expired }, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const url = await postgres.database()
      await onClient(url, async (client) => {
        await fillRecords(client, { from: 1, to: expired, age: '30 days' })
        await client.query('vacuum analyze oncekey.records')
        await client.query('checkpoint')
      })
      const windows = await servedInTurns(programs, url, expired)
      return { ...reportOf(windows, expired), postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

/** Two consecutive windows, without and with a purge. */
interface Turn {
  readonly quiet: Load
  readonly purging: Load
  /** The keys that the second window forgot. */
  readonly keys: number
}

async function servedInTurns(programs: Programs, url: string, expired: number): Promise<Turn[]> {
  const app = await programs.start<OrdersApp>('orders-app')
  const purger = await programs.start<Purger>('purger')
  const port = await app.call('listen', {
    contender: 'Oncekey',
    url,
    connections: 20,
    pipeline: true,
    prepare: false,
    event: false,
  })
  await purger.call('open', url)
  const client = httpClient(port, 50)
  const serve = (until: Promise<unknown>) =>
    openLoop({ perSecond: PER_SECOND, until }, () =>
      client.post({
        path: '/orders',
        headers: { 'content-type': 'application/json', 'idempotency-key': randomUUID() },
        body: BODY,
        expectedStatus: 201,
      }),
    )

  await serve(wait(WINDOW_MS))
  const turns: Turn[] = []
  for (let left = expired; left > 0; ) {
    const quiet = await serve(wait(WINDOW_MS))
    const cleaning = purger.call('purgeFor', WINDOW_MS, PAUSE_MS)
    const purging = await serve(cleaning)
    const { keys } = await cleaning
    turns.push({ quiet, purging, keys })
    left -= keys
  }
  await client.close()
  await Promise.all([app.stop(), purger.stop()])
  return turns
}

function reportOf(turns: readonly Turn[], expired: number) {
  const quiet = turns.map((turn) => turn.quiet)
  const purging = turns.map((turn) => turn.purging)
  // The last window ends when there is nothing left to purge, maybe too early for a p99.
  const whole = turns.length > 1 ? -1 : undefined
  const p99 = (loads: Load[]) => loads.slice(0, whole).map((load) => load.p99)
  const ratio = pairwiseRatio(p99(purging), p99(quiet))
  const seconds = sum(purging.map((load) => load.seconds))
  const row = (name: string, loads: Load[]) => [
    name,
    sum(loads.map(({ requests }) => requests)),
    median(loads.map(({ p50 }) => p50)),
    median(p99(loads)),
  ]
  return {
    tables: [
      {
        title: `${PER_SECOND} fresh requests a second over Express, ${turns.length} windows of ${WINDOW_MS} ms each way`,
        columns: ['', 'requests', 'p50 ms', 'p99 ms'],
        rows: [row('nothing else', quiet), row('purge, batch after batch', purging)],
      },
    ],
    budgets: [
      {
        what: `p99 while ${expired.toLocaleString('en')} expired records are purged`,
        bound: 'at most' as const,
        limit: 2,
        measured: ratio.median,
      },
    ],
    notes: [
      `Purged: ${Math.round(sum(turns.map(({ keys }) => keys)) / seconds).toLocaleString('en')} records a second, each twice (first the response, then the key), in batches of 1,000 with ${PAUSE_MS} ms between them. The ratio of the p99 was between ${ratio.least.toFixed(2)} and ${ratio.most.toFixed(2)}.`,
    ],
  }
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

const PER_SECOND = 200
const WINDOW_MS = 2_000
/** As in the documentation. */
const PAUSE_MS = 50
const BODY = JSON.stringify(ORDER)
