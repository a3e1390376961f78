import { randomUUID } from 'node:crypto'
import { startRedis } from '@oncekey/test-servers'
import type { Bench } from '../bench.ts'
import type { Budget } from '../budget.ts'
import { ORDER } from '../contenders/order.ts'
import { type FolderPeerName, folderPeers } from '../folder-peers/folder-peers.ts'
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
  type Sample,
  send,
} from '../http-contender.ts'
import type { FolderPeerApp } from '../programs/folder-peer-app.ts'
import type { Programs } from '../programs.ts'
import type { Table } from '../report.ts'
import { interleaved } from '../rounds.ts'

/** Peers that the workspace cannot install, each beside ours on its framework, with Redis. */
export const folderPeersBench: Bench = {
  name: 'folder-peers',
  about: 'idempot-js, hono-idempotency, @nestarc/idempotency on Redis, in the folder of --peers',
  onlyByName: true,

  async run({ rounds, requests, peers: folder }, programs) {
    if (folder === undefined) throw new Error(NO_FOLDER)
    const redis = await startRedis()
    try {
      const contenders: HttpContender[] = []
      for (const name of NAMES) {
        const contender = await start(programs, name, `${redis.url}/${NAMES.indexOf(name)}`, folder)
        await checkWork(contender)
        contenders.push(contender)
      }
      const tables: Table[] = []
      const budgets: Budget[] = []
      for (const [kind, keyOf] of KINDS) {
        const samples = await interleaved(
          rounds,
          contenders.map((contender) => () => measured({ ...contender, keyOf }, requests)),
        )
        for (const framework of ['Express', 'Hono', 'Nest'] as const) {
          const own = NAMES.filter((name) => frameworkOf(name) === framework)
          const ofOwn = own.map((name) => samples[NAMES.indexOf(name)] ?? [])
          tables.push({
            title: `${framework}, ${kind}, ${requests} POSTs a round on ${CONNECTIONS} connections, ${rounds} rounds`,
            columns: lineColumns('bare'),
            rows: linesOf(
              own.map((name) => ({ name })),
              ofOwn,
            ).map(lineCells),
          })
          const [, ours = [], ...theirs] = ofOwn
          for (const [at, samples] of theirs.entries()) {
            budgets.push(...budgetsOf(kind, own[at + 2] as FolderPeerName, ours, samples))
          }
        }
      }
      await Promise.all(contenders.map(({ stop }) => stop()))
      return { tables, budgets, notes: [...NOTES, CPU_NOTE] }
    } finally {
      await redis.stop()
    }
  },
}

const NAMES = Object.keys(folderPeers) as FolderPeerName[]

const frameworkOf = (name: FolderPeerName) =>
  /hono/i.test(name) ? 'Hono' : /nest/i.test(name) ? 'Nest' : 'Express'

const KINDS: readonly [kind: string, keyOf: (index: number) => string][] = [
  ['every key fresh', () => randomUUID()],
  // idempot-js wants at least 21 characters.
  ['every request a replay', (index) => `key-of-a-replay-number-${index % 100}`],
]

/** idempot-js answers 409 when a second key comes with a body that it knows. */
const bodyOf = (key: string) => JSON.stringify({ ...ORDER, reference: key })

async function start(
  programs: Programs,
  name: FolderPeerName,
  url: string,
  folder: string,
): Promise<HttpContender> {
  const program = await programs.start<FolderPeerApp>('folder-peer-app')
  const port = await program.call('listen', name, url, folder)
  return { ...httpContender(name, program, port, () => ''), bodyOf }
}

/** Contenders with keys run the handler once for each key, and replay from then on. */
async function checkWork(contender: HttpContender): Promise<void> {
  const keys = Array.from({ length: 20 }, () => randomUUID())
  const all = async () => {
    for (const key of keys) await send(contender.client, key, bodyOf)
  }
  await checkRuns(contender, keys.length, all)
  await checkRuns(contender, contender.name.startsWith('bare') ? keys.length : 0, all)
}

function budgetsOf(
  kind: string,
  name: FolderPeerName,
  ours: readonly Sample[],
  theirs: readonly Sample[],
): Budget[] {
  const [against] = linesOf([{ name: 'ours' }], [[...ours]], theirs)
  const budget = (by: string, measured = Number.NaN): Budget => ({
    what: `Redis, ${kind}, against ${name}, by ${by}`,
    bound: 'at least',
    limit: 1,
    measured,
  })
  return [budget('throughput', against?.rate.median), budget('processor time', against?.cpu.median)]
}

const NO_FOLDER =
  'folder-peers needs --peers FOLDER: a folder in which you ran "npm install @idempot/express-middleware @idempot/redis-store hono-idempotency @nestarc/idempotency", or built these packages from their repositories. Its node_modules/@nestjs has to be a link to that of benchmarks.'

const NOTES = [
  'Every request has a body of its own, because idempot-js refuses a second key with a body that it knows. idempot-js answers before it stores (at the event finish), and reads before it claims; made to wait, its res.send sends when its store has resolved. hono-idempotency waits for its store by itself, reads before it claims and before it completes, and has no token; it runs on node-redis, ours on ioredis. @nestarc/idempotency waits for its store, too, and has a token; it reads before it claims, and says that it needs Nest 10 or 11, while this is Nest 12.',
]
