import { randomUUID } from 'node:crypto'
import {
  countStatements,
  resetStatements,
  startProxy,
  type TcpProxy,
  waitFor,
} from '@oncekey/test-servers'
import { Pool } from 'pg'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import type { Contender, PlaceRequest } from '../contenders/contender.ts'
import { contenders } from '../contenders/contenders.ts'
import { type Entrant, entrants } from '../contenders/entrants.ts'
import { ORDER } from '../contenders/order.ts'
import { type DurablePostgres, durablePostgres, onClient } from '../durable-postgres.ts'
import { sum } from '../median.ts'
import type { Cell } from '../report.ts'

/** The countable costs of a request; requests are sent one after the other. */
export const countsBench: Bench = {
  name: 'counts',
  about: 'statements, round trips and WAL flushes of each kind of request, exactly',

  async run({ counted }) {
    const postgres = await durablePostgres()
    const proxy = await startProxy(postgres.server.port)
    // A delay, so that everything a client sends at once counts as one round trip, however the
    // bytes are split.
    proxy.latency(2)
    const rows: Row[] = []
    try {
      for (const entrant of entrants) {
        for (const request of REQUESTS) {
          if (entrant.contender !== 'Oncekey' && !request.withoutKeys) continue
          const counts = await count({ postgres, proxy, entrant, request, counted })
          rows.push({ entrant, request, ...counts })
        }
      }
    } finally {
      await proxy.stop()
      await postgres.stop()
    }
    return {
      tables: [
        {
          title: `Per request, ${counted} requests each, through a counting proxy`,
          columns: [
            '',
            'request',
            'statements',
            'round trips to the answer',
            'in all',
            'WAL flushes',
          ],
          rows: rows.map((row): Cell[] => [
            row.entrant.name,
            row.request.name,
            row.statements,
            row.roundTripsToAnswer,
            row.roundTrips,
            row.walFlushes,
          ]),
        },
      ],
      budgets: budgetsOf(rows),
      notes: [
        'A round trip more "in all" than "to the answer" is a ROLLBACK that nobody waits for. WAL flushes are those of the processes that serve clients.',
      ],
      postgresVersion: postgres.version,
    }
  },
}

/** A kind of request. */
interface Request {
  readonly name: string
  readonly event?: boolean
  readonly expectedStatus: number
  /** Whether contenders without keys take part. */
  readonly withoutKeys?: boolean
  readonly each: () => PlaceRequest
  /** Sets up the earlier requests; returns a function that ends them. */
  readonly before?: (here: Contender, elsewhere: Contender) => Promise<undefined | (() => unknown)>
}

const fresh = (): PlaceRequest => ({ key: randomUUID(), order: ORDER })
const again = (): PlaceRequest => ({ key: 'the key', order: ORDER })
const finished = async (_: Contender, elsewhere: Contender) => {
  await elsewhere.place(again())
  return undefined
}

const REQUESTS: readonly Request[] = [
  { name: 'fresh key', expectedStatus: 201, withoutKeys: true, each: fresh },
  {
    name: 'fresh key, one event',
    expectedStatus: 201,
    withoutKeys: true,
    event: true,
    each: fresh,
  },
  { name: 'no key', expectedStatus: 201, each: () => ({ key: undefined, order: ORDER }) },
  {
    name: 'no key, one event',
    expectedStatus: 201,
    event: true,
    each: () => ({ key: undefined, order: ORDER }),
  },
  { name: 'refused (422)', expectedStatus: 422, each: () => ({ ...fresh(), refused: true }) },
  { name: 'replay', expectedStatus: 201, each: again, before: finished },
  {
    name: 'other body, finished',
    expectedStatus: 422,
    each: () => ({ key: 'the key', order: { ...ORDER, cents: 1 } }),
    before: finished,
  },
  {
    name: 'in progress in this process',
    expectedStatus: 409,
    each: again,
    before: async (here) => here.hold?.(again()),
  },
  {
    name: 'in progress in another',
    expectedStatus: 409,
    each: again,
    before: async (_, elsewhere) => elsewhere.hold?.(again()),
  },
]

interface Counted {
  readonly statements: number
  readonly roundTripsToAnswer: number
  readonly roundTrips: number
  readonly walFlushes: number
}

interface Row extends Counted {
  readonly entrant: Entrant
  readonly request: Request
}

async function count(run: {
  readonly postgres: DurablePostgres
  readonly proxy: TcpProxy
  readonly entrant: Entrant
  readonly request: Request
  readonly counted: number
}): Promise<Counted> {
  const { postgres, proxy, entrant, request, counted } = run
  const url = await postgres.database()
  const { pipeline, prepare } = entrant
  const make = (pool: Pool) =>
    contenders[entrant.contender]({ pool, event: request.event ?? false, prepare })
  const pool = new Pool({ connectionString: proxy.through(url), pipeline })
  const otherPool = new Pool({ connectionString: url, pipeline })
  const here = make(pool)
  const end = await request.before?.(here, make(otherPool))
  if (end === undefined) {
    await otherPool.end()
    await allGone(url, postgres.server.url)
  }
  const flushesBefore = await postgres.walFlushes()

  // Opens the connection with a request that is not counted, except in the flushes.
  await place(here, request, pool)
  await resetStatements(url)
  proxy.resetCounts()
  let roundTripsToAnswer = 0
  for (let index = 0; index < counted; index += 1) {
    roundTripsToAnswer += await place(here, request, pool, proxy)
  }
  const { roundTrips } = proxy.counts()
  const statements = await countStatements(url)

  await end?.()
  await pool.end()
  if (!otherPool.ended) await otherPool.end()
  await allGone(url, postgres.server.url)
  return {
    statements: sum(statements.map(({ calls }) => calls)) / counted,
    roundTripsToAnswer: roundTripsToAnswer / counted,
    roundTrips: roundTrips / counted,
    walFlushes: ((await postgres.walFlushes()) - flushesBefore) / (counted + 1),
  }
}

/** Returns the round trips until the answer; resolves when the connection is back in the pool. */
async function place(
  contender: Contender,
  { each, expectedStatus, name }: Request,
  pool: Pool,
  proxy?: TcpProxy,
): Promise<number> {
  const busyBefore = pool.totalCount - pool.idleCount
  const before = proxy?.counts().roundTrips ?? 0
  const status = await contender.place(each())
  const toAnswer = (proxy?.counts().roundTrips ?? 0) - before
  if (status !== expectedStatus) throw new Error(`${name}: ${status} instead of ${expectedStatus}`)
  await waitFor(() => pool.totalCount - pool.idleCount === busyBefore, {
    what: 'the connection to be back in its pool',
  })
  return toAnswer
}

/** A server process reports its flushes when it ends. */
async function allGone(url: string, anyUrl: string): Promise<void> {
  const database = new URL(url).pathname.slice(1)
  await onClient(anyUrl, (client) =>
    waitFor(
      async () => {
        const { rowCount } = await client.query('select from pg_stat_activity where datname = $1', [
          database,
        ])
        return rowCount === 0
      },
      { what: `the connections to ${database} to be gone` },
    ),
  )
}

function budgetsOf(rows: readonly Row[]): Budget[] {
  return ['fresh key', 'fresh key, one event'].flatMap((request) => {
    const [bare, ...others] = rows.filter((row) => row.request.name === request)
    const ours = others.filter(({ entrant }) => entrant.contender === 'Oncekey')
    return ours.flatMap(({ entrant, walFlushes, roundTrips }): Budget[] => {
      const what = `${entrant.name}, ${request}`
      const limit = entrant.pipeline ? 0 : 2
      const more = roundTrips - (bare?.roundTrips ?? 0)
      return [
        { what: `${what}: WAL flushes`, bound: 'at most', limit: 1, measured: walFlushes },
        {
          what: `${what}: round trips more than the bare transaction`,
          bound: 'at most',
          limit,
          measured: more,
        },
      ]
    })
  })
}
