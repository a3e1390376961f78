import { startRedis } from '@oncekey/test-servers'
import type { Bench } from '../bench.ts'
import { durablePostgres } from '../durable-postgres.ts'
import type { CountedRequests, RequestKind } from '../programs/counted-requests.ts'
import type { Program, Programs } from '../programs.ts'
import type { Cell, Table } from '../report.ts'
import { type AppName, appNames } from '../request-costs/apps.ts'
import { callgrind, hasValgrind } from '../request-costs/callgrind.ts'
import { machinePart } from '../request-costs/machine-parts.ts'
import { type Allocated, bySourceFile, ELSEWHERE } from '../request-costs/source-files.ts'
import type { StoreName } from '../request-costs/work.ts'

/** What a request costs the Node process, in counts that other processes do not change. */
export const requestCountsBench: Bench = {
  name: 'request-counts',
  about: 'objects, bytes, promises and instructions of a request in the Node process, by part',

  onlyByName: true,

  async run({ requests, counted }, programs) {
    const rows: CountedRow[] = []
    const servers = await startServers()
    try {
      for (const app of appNames) {
        for (const store of STORES) {
          for (const kind of KINDS) {
            const target = { app, store, kind, url: await servers.urlOf(store) }
            rows.push(await count(programs, target, { warmUp: requests, counted }))
          }
        }
      }
    } finally {
      await servers.stop()
    }
    return { tables: [summary(rows), ...parts(rows)], budgets: [], notes: [NOTE] }
  },
}

const STORES: readonly StoreName[] = ['memory', 'Postgres', 'Redis']
const KINDS: readonly RequestKind[] = ['bare', 'fresh', 'replay']

interface Target {
  readonly app: AppName
  readonly store: StoreName
  readonly kind: RequestKind
  readonly url: string
}

interface CountedRow extends Target {
  readonly objects: number
  readonly bytes: number
  readonly promises: number
  readonly ticks: number
  readonly timers: number
  readonly writes: number
  /** By part of the process; empty without valgrind, and where a server is waited for. */
  readonly instructions: ReadonlyMap<string, number>
  readonly files: ReadonlyMap<string, Allocated>
}

interface Sizes {
  readonly warmUp: number
  readonly counted: number
}

async function count(
  programs: Programs,
  target: Target,
  { warmUp, counted }: Sizes,
): Promise<CountedRow> {
  const program = await programs.start<CountedRequests>('counted-requests', NODE_FLAGS)
  await open(program, target, warmUp)
  const bytes = (await program.call('heapBytes', counted)) / counted
  const writes = (await program.call('writes', counted)) / counted
  const resources = await program.call('asyncResources', counted)
  const files = new Map<string, Allocated>()
  for (const [file, sum] of bySourceFile(await program.call('allocations', counted))) {
    files.set(file, { objects: sum.objects / counted, bytes: sum.bytes / counted })
  }
  await program.stop()
  const made = (type: string): number => Math.round((resources[type] ?? 0) / counted)
  return {
    ...target,
    objects: [...files.values()].reduce((sum, { objects }) => sum + objects, 0),
    bytes,
    promises: made('PROMISE'),
    ticks: made('TickObject'),
    timers: made('Timeout'),
    writes,
    instructions: await instructionsOf(programs, target, { warmUp, counted }),
    files,
  }
}

/** Instructions of the process between two marks, after a warm-up. */
async function instructionsOf(
  programs: Programs,
  target: Target,
  { warmUp, counted }: Sizes,
): Promise<Map<string, number>> {
  const sums = new Map<string, number>()
  // Waiting for a server executes instructions too, as many as the server is slow.
  if (target.store !== 'memory' || !hasValgrind()) return sums
  const profiler = callgrind('uv_uptime')
  try {
    const flags = ['--single-threaded', '--hash-seed=1', '--random-seed=1']
    const program = await programs.start<CountedRequests>('counted-requests', flags, profiler.under)
    await open(program, target, warmUp)
    await program.call('mark')
    await program.call('send', counted * 10)
    await program.call('mark')
    await program.stop()
    for (const [name, cost] of profiler.selfCosts(program.pid)) {
      const part = machinePart(name)
      sums.set(part, (sums.get(part) ?? 0) + cost / (counted * 10))
    }
  } finally {
    profiler.remove()
  }
  return sums
}

async function open(
  program: Program<CountedRequests>,
  { app, store, kind, url }: Target,
  warmUp: number,
): Promise<void> {
  await program.call('open', app, store, kind, url)
  await program.call('send', warmUp)
}

/** So large a young generation that nothing is collected while bytes are counted. */
const NODE_FLAGS = [
  '--expose-gc',
  '--single-threaded',
  '--min-semi-space-size=512',
  '--max-semi-space-size=512',
]

function summary(rows: readonly CountedRow[]): Table {
  return {
    title: 'Per request, in the Node process',
    columns: [
      '',
      'store',
      'request',
      'objects',
      'bytes',
      'promises',
      'ticks',
      'timers',
      'writes to the client',
      'instructions without the compiler',
    ],
    rows: rows.map((row): Cell[] => [
      row.app,
      row.store,
      row.kind,
      Math.round(row.objects),
      Math.round(row.bytes),
      row.promises,
      row.ticks,
      row.timers,
      row.writes,
      warmInstructions(row),
    ]),
  }
}

function warmInstructions({ instructions }: CountedRow): number | undefined {
  if (instructions.size === 0) return undefined
  let sum = 0
  for (const [part, cost] of instructions) if (part !== 'compiler') sum += cost
  return Math.round(sum)
}

/** For each framework and store, what a fresh key adds to the bare handler, by source file. */
function parts(rows: readonly CountedRow[]): Table[] {
  const tables: Table[] = []
  for (const fresh of rows.filter(({ kind }) => kind === 'fresh')) {
    const bare = rows.find(
      ({ app, store, kind }) => app === fresh.app && store === fresh.store && kind === 'bare',
    )
    tables.push({
      title: `${fresh.app}, ${fresh.store}: what a fresh key adds`,
      columns: ['made by', 'objects', 'bytes'],
      rows: [...fresh.files]
        .map(([file, sum]) => more(file, sum, bare?.files.get(file)))
        .sort((one, other) => Number(other[2]) - Number(one[2])),
    })
  }
  return tables
}

function more(file: string, { objects, bytes }: Allocated, bare: Allocated | undefined): Cell[] {
  const name = file === ELSEWHERE ? 'Node, framework and driver' : file
  return [name, Math.round(objects - (bare?.objects ?? 0)), Math.round(bytes - (bare?.bytes ?? 0))]
}

interface Servers {
  urlOf(store: StoreName): Promise<string>
  stop(): Promise<void>
}

async function startServers(): Promise<Servers> {
  const [postgres, redis] = await Promise.all([durablePostgres(), startRedis()])
  return {
    async urlOf(store) {
      if (store === 'memory') return ''
      return store === 'Postgres' ? await postgres.database() : redis.url
    },
    async stop() {
      await Promise.all([postgres.stop(), redis.stop()])
    },
  }
}

const NOTE =
  'Requests come through a stream in the process, one at a time. Objects and the table of parts are those that V8 reports while it tracks allocations; bytes are what the heap grew by. Instructions are counted by valgrind, if it is installed.'
