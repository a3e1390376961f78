import type { Client } from 'pg'
import type { Bench } from '../bench.ts'
import { durablePostgres, onClient } from '../durable-postgres.ts'
import { fillRecords } from '../filled-records.ts'
import { median, pairwiseRatio, quantile } from '../median.ts'
import type { StoreTimer } from '../programs/store-timer.ts'
import type { Program } from '../programs.ts'
import type { Cell, Ratio } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** Whether claims become slower as the number of records grows. */
export const growthBench: Bench = {
  name: 'growth',
  about: 'begin and complete on tables of different sizes',

  async run({ records, rounds, requests }, programs) {
    const postgres = await durablePostgres({
      shared_buffers: '2GB',
      'pg_stat_statements.track': 'none',
    })
    try {
      const tables: Sized[] = []
      for (const size of records) {
        const url = await postgres.database()
        await onClient(url, (client) => filled(client, size))
        const program = await programs.start<StoreTimer>('store-timer')
        await program.call('open', url)
        tables.push({ size, program })
      }
      const samples = await interleaved(
        rounds,
        tables.map((table) => () => measured(table, Math.ceil(requests / 4))),
      )
      await Promise.all(tables.map(({ program }) => program.stop()))

      const lines = tables.flatMap(({ size }, at) =>
        linesOf(size, samples[at] ?? [], samples[0] ?? []),
      )
      return {
        tables: [
          {
            title: `Milliseconds, one request at a time, ${rounds} rounds`,
            columns: ['', 'records', 'p50', 'p99', 'p50 of the smallest'],
            rows: lines.map(({ what, size, p50, p99, ofSmallest }): Cell[] => [
              what,
              size,
              p50,
              p99,
              ofSmallest,
            ]),
          },
        ],
        budgets: lines
          .filter(({ size }) => size !== records[0])
          .map(({ what, size, ofSmallest }) => ({
            what: `${what}, ${size.toLocaleString('en')} records against ${records[0]?.toLocaleString('en')}`,
            bound: 'at most' as const,
            limit: 1.3,
            measured: ofSmallest.median,
          })),
        notes: [
          'A checkpoint comes before the measurement, so that a page that is touched for the first time after it is written to the WAL as a whole, as it would be after any checkpoint.',
        ],
        postgresVersion: postgres.version,
      }
    } finally {
      await postgres.stop()
    }
  },
}

interface Sized {
  readonly size: number
  readonly program: Program<StoreTimer>
}

interface Sample {
  readonly begin: number[]
  readonly complete: number[]
  readonly replay: number[]
}

async function filled(client: Client, size: number): Promise<void> {
  await fillRecords(client, { from: 1, to: size, age: '1 minute' })
  await client.query('vacuum analyze oncekey.records')
  await client.query('checkpoint')
}

async function measured({ size, program }: Sized, requests: number): Promise<Sample> {
  const { begin, complete } = await program.call('fresh', requests)
  return { begin, complete, replay: await program.call('replay', requests, size) }
}

interface Line {
  readonly what: string
  readonly size: number
  readonly p50: number
  readonly p99: number
  readonly ofSmallest: Ratio
}

function linesOf(size: number, own: readonly Sample[], smallest: readonly Sample[]): Line[] {
  return (['begin', 'complete', 'replay'] as const).map((step) => {
    const medians = (samples: readonly Sample[]) => samples.map((sample) => median(sample[step]))
    return {
      what: NAMES[step],
      size,
      p50: median(medians(own)),
      p99: median(own.map((sample) => quantile(sample[step], 0.99))),
      ofSmallest: pairwiseRatio(medians(own), medians(smallest)),
    }
  })
}

const NAMES = { begin: 'begin, fresh key', complete: 'complete', replay: 'begin, replay' } as const
