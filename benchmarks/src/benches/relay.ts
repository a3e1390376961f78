import type { Bench } from '../bench.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { median, pairwiseRatio } from '../median.ts'
import type { Programs } from '../programs.ts'
import { type Drained, type RelayTeam, startTeam } from '../relay-team.ts'
import { interleaved } from '../rounds.ts'

/** Measures how fast relays deliver a backlog, and what an event costs. */
export const relayBench: Bench = {
  name: 'relay',
  about: 'events a second out of a backlog, by one relay, two and four; processor time of an event',

  async run({ rounds, events }, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const teams: RelayTeam[] = []
      for (const relays of RELAYS) teams.push(await start(programs, postgres, relays))
      const samples = await interleaved(
        rounds,
        teams.map((team) => () => team.drain(events)),
      )
      await Promise.all(teams.map((team) => team.stop()))
      return { ...reportOf(samples, { rounds, events }), postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

const RELAYS = [1, 2, 4] as const

/** A database for each contender, so that none finds pages in the cache that another has read. */
async function start(programs: Programs, postgres: DurablePostgres, relays: number) {
  const url = await postgres.database()
  return startTeam(programs, postgres, { url, relays, work: 'nothing', concurrency: 50 })
}

function reportOf(samples: Drained[][], { rounds, events }: { rounds: number; events: number }) {
  const rates = samples.map((own) => own.map(({ seconds }) => events / seconds))
  const [one = [], two = []] = rates
  const micros = (own: Drained[], of: 'client' | 'server') =>
    median(own.map((sample) => sample[of] / events))
  return {
    tables: [
      {
        title: `A backlog of ${events.toLocaleString('en')} events, batch 500, a consumer that does nothing, ${rounds} rounds`,
        columns: [
          'relays',
          'events/s',
          'of one relay',
          'relays CPU µs/event',
          'Postgres CPU µs/event',
        ],
        rows: RELAYS.map((relays, at) => [
          `${relays}`,
          Math.round(median(rates[at] ?? [])),
          pairwiseRatio(rates[at] ?? [], one),
          micros(samples[at] ?? [], 'client'),
          micros(samples[at] ?? [], 'server'),
        ]),
      },
    ],
    budgets: [
      {
        what: 'Events a second by one relay',
        bound: 'at least' as const,
        limit: 50_000,
        measured: Math.round(median(one)),
      },
      {
        what: 'Two relays, of one',
        bound: 'at least' as const,
        limit: 1.2,
        measured: pairwiseRatio(two, one).median,
      },
    ],
    notes: [
      'Each relay is a process of its own and has its share of the slots before it is let at the backlog; each event was committed by itself and has 330 bytes of data. Measured to the last event handed out. The processor time is that of all relays together, and of all processes of the server: what one of two processors has to do for an event, and the other.',
    ],
  }
}
