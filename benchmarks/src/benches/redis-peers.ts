import { randomUUID } from 'node:crypto'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
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
import type { RedisApp } from '../programs/redis-app.ts'
import type { Programs } from '../programs.ts'
import { type RedisCost, redisCounter } from '../redis-commands.ts'
import { type RedisPeerName, redisPeers } from '../redis-peers/redis-peers.ts'
import type { Table } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** Compares Oncekey on Redis with every npm package that keeps such records in Redis. */
export const redisPeersBench: Bench = {
  name: 'redis-peers',
  about: 'Express with idempotency on Redis, ours and peers: fresh keys, replays, commands counted',

  async run({ rounds, requests, counted }, programs) {
    const redis = await startRedis()
    try {
      const costs = await counts(programs, redis, counted)
      const tables = [tableOfCosts(costs, counted)]
      const budgets: Budget[] = [
        budgetOfTrips('fresh key', 2, costs),
        budgetOfTrips('replay', 1, costs),
      ]

      const contenders = await Promise.all(NAMES.map((name) => start(programs, name, redis.url)))
      for (const contender of contenders) await checkWork(contender)
      for (const [kind, keyOf] of KINDS) {
        const samples = await interleaved(
          rounds,
          contenders.map((contender) => () => measured({ ...contender, keyOf }, requests)),
        )
        const lines = linesOf(contenders, samples)
        tables.push({
          title: `${kind}, ${requests} POSTs a round on ${CONNECTIONS} connections, ${rounds} rounds`,
          columns: lineColumns('bare'),
          rows: lines.map(lineCells),
        })
        budgets.push(...budgetsAgainstPeers(kind, lines))
      }
      await Promise.all(contenders.map(({ stop }) => stop()))
      return { tables, budgets, notes: [...NOTES, CPU_NOTE] }
    } finally {
      await redis.stop()
    }
  },
}

const NAMES = Object.keys(redisPeers) as RedisPeerName[]
const [BARE, OURS, ...PEERS] = NAMES as [RedisPeerName, RedisPeerName, ...RedisPeerName[]]

const KINDS: readonly [kind: string, keyOf: (index: number) => string][] = [
  ['every key fresh', () => randomUUID()],
  ['every request a replay', (index) => `key-${index % 100}`],
]

async function start(programs: Programs, name: RedisPeerName, url: string): Promise<HttpContender> {
  const program = await programs.start<RedisApp>('redis-app')
  const database = `${url}/${NAMES.indexOf(name)}`
  return httpContender(name, program, await program.call('listen', name, database), () => '')
}

/** Contenders with keys run the handler once for each key, and replay from then on. */
async function checkWork(contender: HttpContender): Promise<void> {
  const keys = Array.from({ length: 20 }, () => randomUUID())
  const all = async () => {
    for (const key of keys) await send(contender.client, key)
  }
  await checkRuns(contender, keys.length, all)
  await checkRuns(contender, contender.name === BARE ? keys.length : 0, all)
}

/** By peer and kind of request. */
type Costs = ReadonlyMap<RedisPeerName, { readonly fresh: RedisCost; readonly replay: RedisCost }>

async function counts(programs: Programs, redis: RedisServer, counted: number): Promise<Costs> {
  const counter = await redisCounter(redis)
  const costs = new Map()
  try {
    for (const name of [OURS, ...PEERS]) {
      const { client, stop } = await start(programs, name, counter.url)
      const key = randomUUID()
      await send(client, key)
      const fresh = await counter.count(counted, () => send(client, randomUUID()))
      const replay = await counter.count(counted, () => send(client, key))
      costs.set(name, { fresh, replay })
      await stop()
    }
  } finally {
    await counter.stop()
  }
  return costs
}

function tableOfCosts(costs: Costs, counted: number): Table {
  return {
    title: `Per request, ${counted} requests each, through a counting proxy`,
    columns: ['', 'request', 'round trips', 'commands executed'],
    rows: [...costs].flatMap(([name, { fresh, replay }]) => [
      [name, 'fresh key', fresh.roundTrips, fresh.commands],
      [name, 'replay', replay.roundTrips, replay.commands],
    ]),
  }
}

function budgetOfTrips(request: 'fresh key' | 'replay', limit: number, costs: Costs): Budget {
  const cost = costs.get(OURS)?.[request === 'replay' ? 'replay' : 'fresh']
  const measured = cost?.roundTrips ?? Number.NaN
  return { what: `Redis, ${request}: round trips`, bound: 'at most', limit, measured }
}

function budgetsAgainstPeers(kind: string, lines: readonly Line[]): Budget[] {
  const ours = lines.filter(({ name }) => name === OURS)
  const peers = lines.filter(({ name }) => PEERS.some((peer) => peer === name))
  return ours.flatMap(({ samples }) =>
    peers.flatMap((peer): Budget[] => {
      const [against] = linesOf([{ name: OURS }], [[...samples]], peer.samples)
      const what = `Redis, ${kind}, against ${peer.name}`
      const budget = (by: string, measured = Number.NaN) =>
        ({ what: `${what}, by ${by}`, bound: 'at least', limit: 1, measured }) as const
      return [
        budget('throughput', against?.rate.median),
        budget('processor time', against?.cpu.median),
      ]
    }),
  )
}

const NOTES = [
  'Not the same work: ours claims with a token and a lease, compares a fingerprint of the request on the server, and sends the response once it is stored. @node-idempotency/core (its Express plugin is not on npm; this is what it does) and express-idempotency send it first and store it then; express-idempotency looks before it claims, so two requests at once both run; @aws-lambda-powertools/idempotency keeps a return value, and compares no payload here, because with Redis it forgets what to compare with.',
  'Processor time is what each spends on a request, also after its answer: what is stored late is not free, it is only not waited for. Throughput and latency of those two leave a round trip out that ours waits for.',
  'Made to wait: the same library, sent when its response is stored, as ours is. @node-idempotency/core’s onResponse is awaited. express-idempotency has no option for it, so it finds a res.send that sends when its adapter’s update has resolved. Their claims are as before: the one looks first, and neither has a token.',
]
