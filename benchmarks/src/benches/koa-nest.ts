import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { durablePostgres } from '../durable-postgres.ts'
import {
  CONNECTIONS,
  CPU_NOTE,
  checkRuns,
  type HttpContender,
  httpContender,
  type Line,
  lineCells,
  lineColumns,
  linesOf,
  measured,
  send,
} from '../http-contender.ts'
import type { BenchOptions } from '../options.ts'
import type { OrdersServer } from '../programs/orders-server.ts'
import type { Programs } from '../programs.ts'
import type { ServerName } from '../request-costs/servers.ts'
import { interleaved } from '../rounds.ts'

/** What the adapters of Koa and Nest cost, each beside its own framework alone. */
export const koaNestBench: Bench = {
  name: 'koa-nest',
  about: 'Koa and Nest (Express, Fastify) alone and with idempotency, on memory and Postgres',

  async run(options, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    try {
      const tables = []
      for (const store of ['memory', 'Postgres'] as const) {
        const urlOf = async () => (store === 'memory' ? '' : postgres.database())
        const lines = await linesOn(store, urlOf, options, programs)
        tables.push({
          title: `${store}: ${options.requests} POSTs a round on ${CONNECTIONS} connections, ${options.rounds} rounds`,
          columns: lineColumns('bare'),
          rows: lines.map(lineCells),
        })
      }
      return { tables, budgets: [], notes: NOTES, postgresVersion: postgres.version }
    } finally {
      await postgres.stop()
    }
  },
}

const FRAMEWORKS: readonly ServerName[] = ['Koa', 'Nest on Express', 'Nest on Fastify']
const POOL_SIZE = 20

async function linesOn(
  store: 'memory' | 'Postgres',
  urlOf: () => Promise<string>,
  { rounds, requests }: BenchOptions,
  programs: Programs,
): Promise<Line[]> {
  const contenders: HttpContender[] = []
  for (const framework of FRAMEWORKS) {
    const start = async (
      name: string,
      isBare: boolean,
      keyOf: HttpContender['keyOf'] = () => randomUUID(),
    ) => {
      const program = await programs.start<OrdersServer>('orders-server')
      const at = { url: await urlOf(), connections: POOL_SIZE }
      const port = await program.call('listen', framework, store, isBare, at)
      const contender = httpContender(name, program, port, keyOf)
      contenders.push(contender)
      await checkRuns(contender, isBare ? 2 : 1, async () => {
        for (const _ of [1, 2]) await send(contender.client, 'the key')
      })
    }
    await start(`bare ${framework}`, true)
    await start(`${framework}, every key fresh`, false)
    await start(`${framework}, every request a replay`, false, (index) => `key-${index % 100}`)
  }

  const samples = await interleaved(
    rounds,
    contenders.map((contender) => () => measured(contender, requests)),
  )
  await Promise.all(contenders.map(({ stop }) => stop()))
  // The ratios of a framework's three lines relate to its first, the bare one.
  return FRAMEWORKS.flatMap((_, at) => {
    const own = <Each>(all: readonly Each[]): Each[] => all.slice(3 * at, 3 * at + 3)
    return linesOf(own(contenders), own(samples))
  })
}

const NOTES = [
  'On memory the handler writes nothing. On Postgres it inserts a row in a transaction, bare too (fsync and synchronous_commit on).',
  CPU_NOTE,
]
