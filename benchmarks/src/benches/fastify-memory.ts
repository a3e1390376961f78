import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import {
  CONNECTIONS,
  CPU_NOTE,
  httpContender,
  lineCells,
  lineColumns,
  linesOf,
  measured,
} from '../http-contender.ts'
import type { FastifyServer, FastifyStore } from '../programs/fastify-server.ts'
import { interleaved } from '../rounds.ts'

/** What the plugin costs with a store that costs next to nothing. */
export const fastifyMemoryBench: Bench = {
  name: 'fastify-memory',
  about: 'Fastify alone against Fastify with idempotency on memoryStore: fresh keys, replays',

  async run({ rounds, requests }, programs) {
    const start = async (name: string, store: FastifyStore, keyOf: (index: number) => string) => {
      const program = await programs.start<FastifyServer>('fastify-server')
      return httpContender(name, program, await program.call('listen', store, ''), keyOf)
    }
    const contenders = await Promise.all([
      start('bare Fastify', 'none', () => randomUUID()),
      start('the least a plugin can do', 'least plugin', () => randomUUID()),
      start('Oncekey, every key fresh', 'memory', () => randomUUID()),
      start('Oncekey, every request a replay', 'memory', (index) => `key-${index % 100}`),
    ])
    const samples = await interleaved(
      rounds,
      contenders.map((contender) => () => measured(contender, requests)),
    )
    await Promise.all(contenders.map(({ stop }) => stop()))

    const lines = linesOf(contenders, samples)
    const fresh = lines[2] as (typeof lines)[number]
    const budget = (by: string, limit: number, measured: number) =>
      ({
        what: `Fastify, memory store, fresh keys against the bare handler, by ${by}`,
        bound: 'at least',
        limit,
        measured,
      }) as const
    return {
      tables: [
        {
          title: `${requests} POSTs a round on ${CONNECTIONS} connections, ${rounds} rounds`,
          columns: lineColumns('bare'),
          rows: lines.map(lineCells),
        },
      ],
      budgets: [
        budget('throughput', 0.85, fresh.rate.median),
        budget('processor time', 0.68, fresh.cpu.median),
      ],
      notes: [LEAST_NOTE, CPU_NOTE],
    }
  },
}

const LEAST_NOTE =
  'The least a plugin can do: a listener on the body, one SHA-256 of it, a promise before the handler and one after it, a Map. It parses no JSON, gives the handler nothing, sets no timer, looks at no header and has most cases wrong: it is the floor, not a peer.'
