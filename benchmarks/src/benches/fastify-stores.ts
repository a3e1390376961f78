import { randomUUID } from 'node:crypto'
import { startRedis } from '@oncekey/test-servers'
import type { Bench } from '../bench.ts'
import { durablePostgres } from '../durable-postgres.ts'
import {
  CONNECTIONS,
  CPU_NOTE,
  checkRuns,
  type HttpContender,
  httpContender,
  lineCells,
  lineColumns,
  linesOf,
  measured,
  send,
} from '../http-contender.ts'
import type { FastifyServer, FastifyStore } from '../programs/fastify-server.ts'
import { interleaved } from '../rounds.ts'

/** What each store adds to a handler that does nothing else. */
export const fastifyStoresBench: Bench = {
  name: 'fastify-stores',
  about: 'Fastify alone against Fastify with idempotency on each store: fresh keys, replays',

  async run({ rounds, requests }, programs) {
    const postgres = await durablePostgres({ 'pg_stat_statements.track': 'none' })
    const redis = await startRedis()
    try {
      const urlOf = async (store: FastifyStore) =>
        store.startsWith('Postgres') ? postgres.database() : redis.url
      const started: HttpContender[] = []
      for (const store of STORES) {
        const program = await programs.start<FastifyServer>('fastify-server')
        const port = await program.call('listen', store, await urlOf(store))
        const name = store === 'none' ? 'bare Fastify' : store
        started.push(httpContender(name, program, port, () => randomUUID()))
      }
      const [bare, ...stores] = started as [HttpContender, ...HttpContender[]]
      const replaying = stores.map(
        (contender): HttpContender => ({
          ...contender,
          name: `${contender.name}, replay`,
          keyOf: (index) => `key-${index % 100}`,
        }),
      )
      for (const contender of stores) {
        const twice = async () => {
          for (const _ of [1, 2]) await send(contender.client, 'the key')
        }
        await checkRuns(contender, 1, twice)
      }

      const contenders = [bare, ...stores, ...replaying]
      const samples = await interleaved(
        rounds,
        contenders.map((contender) => () => measured(contender, requests)),
      )
      await Promise.all(started.map(({ stop }) => stop()))
      return {
        tables: [
          {
            title: `${requests} POSTs a round on ${CONNECTIONS} connections, ${rounds} rounds`,
            columns: lineColumns('bare'),
            rows: linesOf(contenders, samples).map(lineCells),
          },
        ],
        budgets: [],
        notes: [
          'The handler writes nothing, so what a store costs is all there is to see: on Postgres a transaction with one flush (fsync and synchronous_commit on), on Redis two scripts (nothing is written to disk), on PGlite a database in the same thread.',
          CPU_NOTE,
        ],
        postgresVersion: postgres.version,
      }
    } finally {
      await redis.stop()
      await postgres.stop()
    }
  },
}

const STORES: readonly FastifyStore[] = [
  'none',
  'memory',
  'memory, lease mode',
  'Redis',
  'Postgres',
  'Postgres, pipeline',
  'PGlite',
]
