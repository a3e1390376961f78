import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { type DurablePostgres, durablePostgres } from '../durable-postgres.ts'
import { median, pairwiseRatio } from '../median.ts'
import type { Work } from '../programs/relay-runner.ts'
import type { Programs } from '../programs.ts'
import { type Drained, type RelayTeam, startTeam } from '../relay-team.ts'
import type { Ratio, Table } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** What it costs to make a consumer's write happen once. */
export const inboxBench: Bench = {
  name: 'inbox',
  about: 'a consumer that inserts a row: in autocommit, in the inbox, and in batches of the inbox',

  async run({ rounds, requests, concurrency }, programs) {
    const postgres = await durablePostgres({
      'pg_stat_statements.track': 'none',
      // Four relays, each with as many connections as it handles events at once.
      max_connections: '400',
    })
    try {
      const tables: Table[] = []
      const budgets: Budget[] = []
      for (const many of concurrency) {
        const lines = await measured(programs, postgres, { rounds, requests, many })
        tables.push(tableOf(lines, { rounds, many }))
        budgets.push(...budgetsOf(lines, many))
      }
      return { tables, budgets, notes: NOTES, postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

/**
 * `events` multiplies the number of events in a round: batches are so fast that the number of the
 * others would be too small.
 */
const ENTRANTS: readonly { readonly work: Work; readonly events: number }[] = [
  { work: 'bare insert', events: 1 },
  { work: 'bare transaction', events: 1 },
  { work: 'inbox', events: 1 },
  { work: 'inbox, batched', events: 20 },
]

interface Line {
  readonly work: Work
  readonly rates: readonly number[]
  readonly ofBare: Ratio
  readonly ofBareByCpu: Ratio
  /** Of BEGIN, the insert and COMMIT. */
  readonly ofTransaction: Ratio
  readonly client: number
  readonly server: number
}

async function measured(
  programs: Programs,
  postgres: DurablePostgres,
  { rounds, requests, many }: { rounds: number; requests: number; many: number },
): Promise<Line[]> {
  const teams: RelayTeam[] = []
  for (const { work } of ENTRANTS) {
    const url = await postgres.database()
    teams.push(await startTeam(programs, postgres, { url, relays: 1, work, concurrency: many }))
  }
  // With one at a time most of the time is waiting, so fewer events are enough.
  const base = many === 1 ? Math.ceil(requests / 4) : requests
  const samples = await interleaved(
    rounds,
    ENTRANTS.map(
      ({ events }, at) =>
        () =>
          perEvent(teams[at] as RelayTeam, events * base),
    ),
  )
  await Promise.all(teams.map((team) => team.stop()))

  const [bare = [], transaction = []] = samples
  const of = (part: keyof Drained) => (sample: Drained) => sample[part]
  const cpu = ({ client, server }: Drained) => client + server
  return ENTRANTS.map(({ work }, at) => {
    const own = samples[at] ?? []
    return {
      work,
      rates: own.map(({ seconds }) => 1 / seconds),
      ofBare: pairwiseRatio(bare.map(of('seconds')), own.map(of('seconds'))),
      ofBareByCpu: pairwiseRatio(bare.map(cpu), own.map(cpu)),
      ofTransaction: pairwiseRatio(transaction.map(of('seconds')), own.map(of('seconds'))),
      client: median(own.map(of('client'))),
      server: median(own.map(of('server'))),
    }
  })
}

async function perEvent(team: RelayTeam, events: number): Promise<Drained> {
  const { seconds, client, server } = await team.drain(events)
  return { seconds: seconds / events, client: client / events, server: server / events }
}

function tableOf(
  lines: readonly Line[],
  { rounds, many }: { rounds: number; many: number },
): Table {
  return {
    title: `Events a second, each inserts a row, ${many} at once, ${rounds} rounds`,
    columns: [
      '',
      'events/s',
      'of bare insert',
      'of bare insert, by CPU',
      'of bare transaction',
      'relay CPU µs/event',
      'Postgres CPU µs/event',
    ],
    rows: lines.map(({ work, rates, ofBare, ofBareByCpu, ofTransaction, client, server }) => [
      work,
      Math.round(median(rates)),
      ofBare,
      ofBareByCpu,
      ofTransaction,
      client,
      server,
    ]),
  }
}

function budgetsOf(lines: readonly Line[], many: number): Budget[] {
  const [, , single, batched] = lines
  const budget = (what: string, limit: number, measured = Number.NaN): Budget => ({
    what: `${what}, ${many} at once`,
    bound: 'at least',
    limit,
    measured,
  })
  return [
    budget('Inbox, of BEGIN, insert, COMMIT', 0.85, single?.ofTransaction.median),
    budget('Inbox, of a bare insert', 0.9, single?.ofBare.median),
    budget('Inbox, batched, of a bare insert', 20, batched?.ofBare.median),
  ]
}

const NOTES = [
  'Bare insert: the consumer inserts a row through the pool, a statement in autocommit, one round trip, and knows nothing of deliveries that come twice. Bare transaction: BEGIN, the same insert and COMMIT, three round trips, as one needs for a second write. Inbox: it asks for transaction() and inserts the same row; the mark goes with BEGIN and the end with COMMIT, so that is three round trips, too. All of these flush once for an event. Batched: a hundred events in one transaction, their rows in one statement; as many batches at once as the others have events. All of them are fed by a relay from a backlog, which is in the figures.',
]
