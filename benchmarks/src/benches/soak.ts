import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis } from '@oncekey/test-servers'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { durablePostgres } from '../durable-postgres.ts'
import { type HttpClient, httpClient } from '../http-client.ts'
import { send } from '../http-contender.ts'
import { closedLoop, openLoop } from '../load.ts'
import { median, quantile } from '../median.ts'
import type { SoakServer, SoakState, SoakStore } from '../programs/soak-server.ts'
import type { Programs } from '../programs.ts'
import type { Cell, Table } from '../report.ts'
import { trendOf } from '../trend.ts'

/** Whether memory, handles and latency of a server stay the same under long load. */
export const soakBench: Bench = {
  name: 'soak',
  about:
    'a server at a part of saturation for --soak-seconds: memory, handles, latency, on each store',
  onlyByName: true,

  async run({ soakSeconds: seconds, soakShare: percent, soakStores, requests }, programs) {
    const stores = chosen(soakStores)
    const postgres = await durablePostgres({ checkpoint_timeout: '1min', max_wal_size: '1GB' })
    const redis = await startRedis({ settings: { appendonly: 'yes' } })
    try {
      const soaks: Soak[] = []
      for (const store of stores) {
        const url = store.startsWith('postgres') ? await postgres.database() : redis.url
        soaks.push(await soak(programs, { store, url, seconds, percent, requests }))
      }
      return {
        tables: [summary(soaks, { seconds, percent }), ...soaks.map(course)],
        budgets: soaks.flatMap(budgetsOf),
        notes: [NOTE],
        postgresVersion: postgres.version,
      }
    } finally {
      await redis.stop()
      await postgres.stop()
    }
  },
}

/** The measurements of one part of a run, and the server at its end. */
interface Stretch extends SoakState {
  /** Latency from the time when a request was due. Milliseconds. */
  readonly latencies: readonly number[]
  readonly errors: number
  /** Whether too many requests were waiting for an answer. */
  readonly unsent: number
}

interface Soak {
  readonly store: SoakStore
  readonly saturation: number
  readonly perSecond: number
  readonly stretchSeconds: number
  readonly stretches: readonly Stretch[]
}

async function soak(
  programs: Programs,
  of: { store: SoakStore; url: string; seconds: number; percent: number; requests: number },
): Promise<Soak> {
  const { store, url, seconds, percent, requests } = of
  const program = await programs.start<SoakServer>('soak-server', ['--expose-gc'])
  // A record is purged after a fraction of the first half of a run, so nothing may grow in the
  // second half.
  const retentionMs = Math.min(30_000, (seconds * 1_000) / 10)
  const port = await program.call('listen', store, url, retentionMs)
  const client = httpClient(port, CONNECTIONS)
  try {
    const saturation = await saturationOf(client, requests)
    const perSecond = (saturation * percent) / 100
    const stretchSeconds = Math.min(10, seconds / 10)
    const state = () => program.call('state')
    const stretches = await serve(client, state, { perSecond, seconds, stretchSeconds })
    return { store, saturation, perSecond, stretchSeconds, stretches }
  } finally {
    await client.close()
    await program.stop()
  }
}

/**
 * Answers a second when the next request starts as soon as one ends. The first rounds are a
 * warm-up.
 */
async function saturationOf(client: HttpClient, requests: number): Promise<number> {
  const rates: number[] = []
  for (let round = 0; round < 6; round += 1) {
    const load = await closedLoop({ requests, concurrency: CONNECTIONS }, () =>
      send(client, randomUUID()),
    )
    rates.push(load.requests / load.seconds)
  }
  return median(rates.slice(-3))
}

async function serve(
  client: HttpClient,
  state: () => Promise<SoakState>,
  of: { perSecond: number; seconds: number; stretchSeconds: number },
): Promise<Stretch[]> {
  const { perSecond, seconds, stretchSeconds } = of
  const stretches: Stretch[] = []
  const most = perSecond * MOST_WAITING_SECONDS
  let waiting = 0
  let latencies: number[] = []
  let errors = 0
  let unsent = 0

  const post = async (): Promise<boolean> => {
    if (waiting > most) {
      unsent += 1
      return false
    }
    waiting += 1
    try {
      await send(client, randomUUID())
      return true
    } catch {
      errors += 1
      return false
    } finally {
      waiting -= 1
    }
  }
  const watch = async (): Promise<void> => {
    for (let at = 0; at < Math.round(seconds / stretchSeconds); at += 1) {
      await sleep(stretchSeconds * 1_000)
      stretches.push({ latencies, errors, unsent, ...(await state()) })
      latencies = []
      errors = unsent = 0
    }
  }
  const watching = watch()
  await openLoop({ perSecond, until: watching }, post, (latencyMs, answered) => {
    if (answered) latencies.push(latencyMs)
  })
  await watching
  return stretches
}

function summary(
  soaks: readonly Soak[],
  { seconds, percent }: { seconds: number; percent: number },
): Table {
  return {
    title: `${seconds} s at ${percent} % of saturation`,
    columns: [
      'store',
      'saturation, req/s',
      'answered',
      'errors',
      'not sent',
      'p50 ms',
      'p99 ms, first third',
      'p99 ms, last third',
      'heap MiB, second half',
      'RSS MiB, second half',
      'files, second half',
      'handles, second half',
    ],
    rows: soaks.map((soak): Cell[] => {
      const { store, saturation, stretches } = soak
      const latencies = stretches.flatMap((stretch) => stretch.latencies)
      const total = (of: (stretch: Stretch) => number) =>
        stretches.reduce((sum, stretch) => sum + of(stretch), 0)
      const trend = (of: keyof SoakState, unit: number, digits: number) => {
        const { from, to } = trendOf(secondHalf(soak).map((stretch) => stretch[of] / unit))
        return `${from.toFixed(digits)} → ${to.toFixed(digits)}`
      }
      return [
        store,
        Math.round(saturation),
        latencies.length,
        total(({ errors }) => errors),
        total(({ unsent }) => unsent),
        quantile(latencies, 0.5),
        p99OfThird(soak, 0),
        p99OfThird(soak, 2),
        trend('heapBytes', MIB, 1),
        trend('rssBytes', MIB, 0),
        trend('files', 1, 1),
        trend('handles', 1, 1),
      ]
    }),
  }
}

/** A table with the course of a run in ten rows. */
function course({ store, stretches, stretchSeconds }: Soak): Table {
  const perLine = Math.ceil(stretches.length / 10)
  const lines = Array.from({ length: Math.ceil(stretches.length / perLine) }, (_, at) =>
    stretches.slice(at * perLine, (at + 1) * perLine),
  )
  return {
    title: store,
    columns: [
      'until, s',
      'answered',
      'p50 ms',
      'p99 ms',
      'heap MiB',
      'RSS MiB',
      'files',
      'handles',
    ],
    rows: lines.map((line, at): Cell[] => {
      const latencies = line.flatMap((stretch) => stretch.latencies)
      const last = line.at(-1) as Stretch
      return [
        Math.round((at * perLine + line.length) * stretchSeconds).toString(),
        latencies.length,
        quantile(latencies, 0.5),
        quantile(latencies, 0.99),
        last.heapBytes / MIB,
        last.rssBytes / MIB,
        last.files,
        last.handles,
      ]
    }),
  }
}

function budgetsOf(soak: Soak): Budget[] {
  const trend = (of: keyof SoakState) => trendOf(secondHalf(soak).map((stretch) => stretch[of]))
  const [heap, rss, files, handles] = [
    trend('heapBytes'),
    trend('rssBytes'),
    trend('files'),
    trend('handles'),
  ]
  const atMost = (what: string, limit: number, measured: number): Budget => ({
    what: `${soak.store}, ${what}`,
    bound: 'at most',
    limit,
    measured,
  })
  return [
    atMost('heap, end of the second half over its beginning', 1.05, heap.to / heap.from),
    atMost('RSS, end of the second half over its beginning', 1.1, rss.to / rss.from),
    // The growth of a fitted line: a connection that a pool opens and closes does not count as
    // growth.
    atMost('file descriptors gained in the second half', 1, files.to - files.from),
    atMost('handles gained in the second half', 1, handles.to - handles.from),
    atMost('p99 of the last third over the first', 1.3, p99OfThird(soak, 2) / p99OfThird(soak, 0)),
    atMost(
      'errors',
      0,
      soak.stretches.reduce((sum, { errors }) => sum + errors, 0),
    ),
  ]
}

function secondHalf({ stretches }: Soak): readonly Stretch[] {
  return stretches.slice(Math.floor(stretches.length / 2))
}

function p99OfThird({ stretches }: Soak, third: 0 | 1 | 2): number {
  const at = (share: number) => Math.round((stretches.length * share) / 3)
  const latencies = stretches.slice(at(third), at(third + 1)).flatMap((each) => each.latencies)
  return quantile(latencies, 0.99)
}

function chosen(named: readonly string[] = STORES): readonly SoakStore[] {
  const unknown = named.find((name) => !STORES.some((store) => store === name))
  if (unknown !== undefined) {
    throw new Error(`There is no store "${unknown}". Write one of ${STORES.join(', ')}.`)
  }
  return STORES.filter((store) => named.includes(store))
}

const STORES: readonly SoakStore[] = ['memory', 'postgres', 'postgres-lease', 'redis']
const CONNECTIONS = 16
const MOST_WAITING_SECONDS = 10
const MIB = 2 ** 20

const NOTE =
  'Requests come at a fixed rate whatever the answers take, each with a key of its own, and a latency counts from when its request was due. Records are forgotten after 30 s (a tenth of a short run), on Postgres by a purge in the same process; on Postgres a handler writes a row. Heap and RSS are the server’s, read after it has collected all garbage, which is part of the latencies. Of the second half the line fitted through its samples is given, from its beginning to its end.'
