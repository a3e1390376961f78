import { type HttpClient, httpClient } from './http-client.ts'
import { closedLoop, type Load } from './load.ts'
import { median, pairwiseRatio, sum } from './median.ts'
import type { Program } from './programs.ts'
import type { Cell, Ratio } from './report.ts'
import type { cpuMicros } from './verbs.ts'

/** A program that takes orders over HTTP, and the keys it gets. */
export interface HttpContender {
  readonly name: string
  readonly program: Program<Served>
  readonly client: HttpClient
  /** The request with this `index`; every call with the same index returns the same request. */
  keyOf(index: number): string
  /** The body for a key. @default the same for every key */
  readonly bodyOf?: (key: string) => string
  stop(): Promise<void>
}

/** The verbs that a measurement calls; a program may have more. */
export type Served = {
  cpuMicros: typeof cpuMicros
  /** How many times its handler ran. */
  runs(): number
}

export interface Sample extends Load {
  readonly cpuMicros: number
}

export const CONNECTIONS = 16

export function httpContender(
  name: string,
  program: Program<Served>,
  port: number,
  keyOf: HttpContender['keyOf'],
): HttpContender {
  const client = httpClient(port, CONNECTIONS)
  const stop = async () => {
    await client.close()
    await program.stop()
  }
  return { name, program, client, keyOf, stop }
}

export async function measured(
  { program, client, keyOf, bodyOf }: HttpContender,
  requests: number,
): Promise<Sample> {
  const before = await program.call('cpuMicros')
  const load = await closedLoop({ requests, concurrency: CONNECTIONS }, (index) =>
    send(client, keyOf(index), bodyOf),
  )
  return { ...load, cpuMicros: (await program.call('cpuMicros')) - before }
}

export function send(
  client: HttpClient,
  key: string,
  bodyOf: HttpContender['bodyOf'] = () => BODY,
): Promise<void> {
  return client.post({
    path: '/orders',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: bodyOf(key),
    expectedStatus: 201,
  })
}

/**
 * Throws unless `requests` runs the handler this many times, so that only contenders that do the
 * work are measured.
 */
export async function checkRuns(
  { name, program }: Pick<HttpContender, 'name' | 'program'>,
  expected: number,
  requests: () => Promise<unknown>,
): Promise<void> {
  const before = await program.call('runs')
  await requests()
  const runs = (await program.call('runs')) - before
  if (runs !== expected) throw new Error(`${name}: its handler ran ${runs} times, not ${expected}`)
}

/** A contender's measurement, with that of the contender it is compared with. */
export interface Line {
  readonly name: string
  readonly samples: readonly Sample[]
  readonly rate: Ratio
  readonly cpu: Ratio
}

export function linesOf(
  contenders: readonly Pick<HttpContender, 'name'>[],
  samples: readonly Sample[][],
  baseline: readonly Sample[] = samples[0] ?? [],
): Line[] {
  return samples.map((own, at) => ({
    name: contenders[at]?.name ?? '',
    samples: own,
    rate: pairwiseRatio(own.map(rateOf), baseline.map(rateOf)),
    cpu: pairwiseRatio(baseline.map(cpuOf), own.map(cpuOf)),
  }))
}

/** The columns of a table; `of` names the contender to which the ratios relate. */
export const lineColumns = (of: string): string[] => [
  '',
  'req/s',
  `of ${of}`,
  'CPU µs/req',
  `of ${of}, by CPU`,
  'p50 ms',
  'p99 ms',
]

export function lineCells({ name, samples, rate, cpu }: Line): Cell[] {
  return [
    name,
    Math.round(median(samples.map(rateOf))),
    rate,
    sum(samples.map((sample) => sample.cpuMicros)) / sum(samples.map((sample) => sample.requests)),
    cpu,
    median(samples.map(({ p50 }) => p50)),
    median(samples.map(({ p99 }) => p99)),
  ]
}

export const CPU_NOTE =
  'CPU is the whole server process, its garbage collector and compiler included, and not the store’s server. Ratios are the median of the rounds, in brackets the least and the most; by CPU it is what the throughput would be if nothing but that process ran.'

const rateOf = ({ requests, seconds }: Sample) => requests / seconds
const cpuOf = ({ cpuMicros, requests }: Sample) => cpuMicros / requests

const BODY = JSON.stringify({ customer: 'customer-17', item: 'kettle', cents: 4_900 })
