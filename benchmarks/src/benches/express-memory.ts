import { randomUUID } from 'node:crypto'
import type { Bench } from '../bench.ts'
import { type HttpClient, httpClient } from '../http-client.ts'
import { closedLoop, type Load } from '../load.ts'
import { median, pairwiseRatio, sum } from '../median.ts'
import type { BenchOptions } from '../options.ts'
import type { MemoryServer } from '../programs/memory-server.ts'
import type { Program, Programs } from '../programs.ts'
import { interleaved } from '../rounds.ts'

/** What the middleware costs with a store that costs next to nothing. */
export const expressMemoryBench: Bench = {
  name: 'express-memory',
  about: 'Express alone against Express with idempotency on memoryStore: fresh keys, replays',

  async run(options, programs) {
    const contenders = await Promise.all([
      start(programs, 'bare Express', 'bare', () => randomUUID()),
      start(programs, 'Oncekey, every key fresh', 'oncekey', () => randomUUID()),
      start(
        programs,
        'Oncekey, every request a replay',
        'oncekey',
        (index) => `key-${index % 100}`,
      ),
    ])
    const samples = await interleaved(
      options.rounds,
      contenders.map((contender) => () => measured(contender, options)),
    )
    await Promise.all(contenders.map(({ stop }) => stop()))

    const [bare = []] = samples
    const rows = samples.map((own, at) => ({
      name: contenders[at]?.name ?? '',
      own,
      rate: pairwiseRatio(own.map(rateOf), bare.map(rateOf)),
      cpu: pairwiseRatio(bare.map(cpuOf), own.map(cpuOf)),
    }))
    const fresh = rows[1] as (typeof rows)[number]
    return {
      tables: [
        {
          title: `${options.requests} POSTs a round on ${CONNECTIONS} connections, ${options.rounds} rounds`,
          columns: ['', 'req/s', 'of bare', 'CPU µs/req', 'of bare, by CPU', 'p50 ms', 'p99 ms'],
          rows: rows.map(({ name, own, rate, cpu }) => [
            name,
            Math.round(median(own.map(rateOf))),
            rate,
            sum(own.map(({ cpuMicros }) => cpuMicros)) / sum(own.map(({ requests }) => requests)),
            cpu,
            median(own.map(({ p50 }) => p50)),
            median(own.map(({ p99 }) => p99)),
          ]),
        },
      ],
      budgets: [
        budget('throughput', 0.92, fresh.rate.median),
        budget('processor time', 0.9, fresh.cpu.median),
      ],
      notes: [
        'CPU is the whole server process, its garbage collector and compiler included. "Of bare" is the median of the rounds, in brackets the least and the most; by CPU it is what the throughput would be if nothing but the server ran.',
      ],
    }
  },
}

const budget = (by: string, limit: number, measured: number) =>
  ({
    what: `Express, memory store, fresh keys against the bare handler, by ${by}`,
    bound: 'at least',
    limit,
    measured,
  }) as const

interface Contender {
  readonly name: string
  readonly program: Program<MemoryServer>
  readonly client: HttpClient
  keyOf(index: number): string
  stop(): Promise<void>
}

interface Sample extends Load {
  readonly cpuMicros: number
}

const rateOf = ({ requests, seconds }: Sample) => requests / seconds
const cpuOf = ({ cpuMicros, requests }: Sample) => cpuMicros / requests

async function start(
  programs: Programs,
  name: string,
  kind: 'bare' | 'oncekey',
  keyOf: Contender['keyOf'],
): Promise<Contender> {
  const program = await programs.start<MemoryServer>('memory-server')
  const port = await program.call('listen', kind)
  const client = httpClient(port, CONNECTIONS)
  const stop = async () => {
    await client.close()
    await program.stop()
  }
  return { name, program, client, keyOf, stop }
}

async function measured(
  { program, client, keyOf }: Contender,
  { requests }: BenchOptions,
): Promise<Sample> {
  const before = await program.call('cpuMicros')
  const load = await closedLoop({ requests, concurrency: CONNECTIONS }, (index) =>
    client.post({
      path: '/orders',
      headers: { 'content-type': 'application/json', 'idempotency-key': keyOf(index) },
      body: BODY,
      expectedStatus: 201,
    }),
  )
  return { ...load, cpuMicros: (await program.call('cpuMicros')) - before }
}

const CONNECTIONS = 16
const BODY = JSON.stringify({ customer: 'customer-17', item: 'kettle', cents: 4_900 })
