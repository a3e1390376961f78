import { parseArgs } from 'node:util'
import type { Bench } from './bench.ts'

/**
 * The sizes of the benches. With the defaults a run takes some minutes and gives a first
 * impression, not results to publish.
 */
export interface BenchOptions {
  /**
   * The number of interleaved rounds that count; one warm-up round comes before them. @default 9
   */
  readonly rounds: number
  /** Requests of one contender in one round. @default 2000 */
  readonly requests: number
  /** Requests under way at once, in the Postgres benches. @default [1, 16, 50] */
  readonly concurrency: readonly number[]
  /** Requests counted in each row of `counts`. @default 40 */
  readonly counted: number
  /**
   * Sizes of the records table that `growth` compares, the smallest first. @default [10_000,
   * 1_000_000]
   */
  readonly records: readonly number[]
  /** Expired records that `purge` removes under load. @default 100_000 */
  readonly expired: number
  /** Records that `memory-footprint` fills the memory store with. @default 100_000 */
  readonly memoryRecords: number
  /** Events of the backlog that `relay` drains. @default 100_000 */
  readonly events: number
  /** Jobs of the backlog of `relay-peers`. @default 20_000 */
  readonly jobs: number
  /** Events a second of `latency`. @default 1000 */
  readonly rate: number
  /** How long `latency` measures in each turn. Seconds. @default 5 */
  readonly seconds: number
  /** How long `latency` holds an old snapshot open. @default 60 */
  readonly heldSeconds: number
  /** How long `soak` loads each store. @default 600 */
  readonly soakSeconds: number
  /** The load of `soak`, in percent of what the server can do. @default 60 */
  readonly soakShare: number
  /** The stores that `soak` loads; undefined for all. */
  readonly soakStores: readonly string[] | undefined
  /** Finished keys in the database that `operator` looks at. @default 10_000_000 */
  readonly operatorRecords: number
  /** Dead letters of consumers, and as many of webhooks, in `operator`. @default 1_000_000 */
  readonly letters: number
  /** Folder in which the peers of `folder-peers` are installed. @default none */
  readonly peers: string | undefined
  /** Folder for a `.cpuprofile` of every program that is measured. @default none */
  readonly cpuProf: string | undefined
}

export const defaultOptions: BenchOptions = {
  rounds: 9,
  requests: 2_000,
  concurrency: [1, 16, 50],
  counted: 40,
  records: [10_000, 1_000_000],
  expired: 100_000,
  memoryRecords: 100_000,
  events: 100_000,
  jobs: 20_000,
  rate: 1_000,
  seconds: 5,
  heldSeconds: 60,
  soakSeconds: 600,
  soakShare: 60,
  soakStores: undefined,
  operatorRecords: 10_000_000,
  letters: 1_000_000,
  peers: undefined,
  cpuProf: undefined,
}

export const USAGE = `pnpm bench [name…] [options]

  --json FILE          also writes everything as JSON
  --compare COMMIT     measures this tree and that commit in turn, and prints ratios
  --rounds N           interleaved rounds (${defaultOptions.rounds})
  --requests N         requests of a contender in a round (${defaultOptions.requests})
  --concurrency A,B    requests at once (${defaultOptions.concurrency})
  --counted N          requests counted in each row of counts (${defaultOptions.counted})
  --records A,B        table sizes of growth (${defaultOptions.records})
  --expired N          records that purge takes away (${defaultOptions.expired})
  --memory-records N   records of memory-footprint (${defaultOptions.memoryRecords})
  --events N           events in the backlog of relay (${defaultOptions.events})
  --jobs N             jobs in the backlog of relay-peers (${defaultOptions.jobs})
  --rate N             events a second of latency (${defaultOptions.rate})
  --seconds N          how long latency looks at each turn (${defaultOptions.seconds})
  --held-seconds N     how long latency holds an old snapshot open (${defaultOptions.heldSeconds})
  --soak-seconds N     how long soak loads each store (${defaultOptions.soakSeconds})
  --soak-share N       the load of soak, in percent of saturation (${defaultOptions.soakShare})
  --soak-stores A,B    which stores soak loads (memory,postgres,postgres-lease,redis)
  --operator-records N finished keys that operator looks at (${defaultOptions.operatorRecords})
  --letters N          dead letters that operator looks at (${defaultOptions.letters})
  --peers FOLDER       where the peers of folder-peers are installed
  --cpu-prof FOLDER    a .cpuprofile of every program that is measured

All benches but soak, or those that are named:`

export interface Chosen {
  readonly help: boolean
  readonly benches: readonly Bench[]
  readonly options: BenchOptions
  readonly json: string | undefined
  /** The commit to compare with, and the arguments that both trees get. */
  readonly compare: { readonly commit: string; readonly args: readonly string[] } | undefined
}

/** The options of a command line. Throws a message about what is wrong with it. */
export function chosenFrom(args: string[], benches: readonly Bench[]): Chosen {
  const { values, positionals, tokens } = parsed(args)
  const named = positionals.map((name) => {
    const bench = benches.find((bench) => bench.name === name)
    if (bench === undefined) throw new Error(`There is no bench "${name}".\n\n${USAGE}`)
    return bench
  })
  return {
    help: values.help ?? false,
    benches: named.length === 0 ? benches.filter(({ onlyByName }) => !onlyByName) : named,
    json: values.json,
    compare: comparison(tokens, values.compare),
    options: {
      rounds: count(values.rounds) ?? defaultOptions.rounds,
      requests: count(values.requests) ?? defaultOptions.requests,
      concurrency: values.concurrency?.split(',').map(whole) ?? defaultOptions.concurrency,
      counted: count(values.counted) ?? defaultOptions.counted,
      records: values.records?.split(',').map(whole) ?? defaultOptions.records,
      expired: count(values.expired) ?? defaultOptions.expired,
      memoryRecords: count(values['memory-records']) ?? defaultOptions.memoryRecords,
      events: count(values.events) ?? defaultOptions.events,
      jobs: count(values.jobs) ?? defaultOptions.jobs,
      rate: count(values.rate) ?? defaultOptions.rate,
      seconds: count(values.seconds) ?? defaultOptions.seconds,
      heldSeconds: count(values['held-seconds']) ?? defaultOptions.heldSeconds,
      soakSeconds: count(values['soak-seconds']) ?? defaultOptions.soakSeconds,
      soakShare: count(values['soak-share']) ?? defaultOptions.soakShare,
      soakStores: values['soak-stores']?.split(','),
      operatorRecords: count(values['operator-records']) ?? defaultOptions.operatorRecords,
      letters: count(values.letters) ?? defaultOptions.letters,
      peers: values.peers,
      cpuProf: values['cpu-prof'],
    },
  }
}

const FLAGS = {
  help: { type: 'boolean' },
  json: { type: 'string' },
  compare: { type: 'string' },
  rounds: { type: 'string' },
  requests: { type: 'string' },
  concurrency: { type: 'string' },
  counted: { type: 'string' },
  records: { type: 'string' },
  expired: { type: 'string' },
  'memory-records': { type: 'string' },
  events: { type: 'string' },
  jobs: { type: 'string' },
  rate: { type: 'string' },
  seconds: { type: 'string' },
  'held-seconds': { type: 'string' },
  'soak-seconds': { type: 'string' },
  'soak-share': { type: 'string' },
  'soak-stores': { type: 'string' },
  'operator-records': { type: 'string' },
  letters: { type: 'string' },
  peers: { type: 'string' },
  'cpu-prof': { type: 'string' },
} as const

function parsed(args: string[]) {
  return parseArgs({ args, options: FLAGS, allowPositionals: true, tokens: true })
}

type Tokens = ReturnType<typeof parsed>['tokens']

/**
 * Removes `--compare`, which the other tree may not know, and the options for rounds and JSON,
 * which the comparison handles itself.
 */
function comparison(tokens: Tokens, commit: string | undefined): Chosen['compare'] {
  if (commit === undefined) return undefined
  const own = ['compare', 'rounds', 'json']
  const passed = tokens.flatMap((token) => {
    if (token.kind === 'positional') return [token.value]
    if (token.kind !== 'option' || own.includes(token.name)) return []
    return token.value === undefined ? [`--${token.name}`] : [`--${token.name}`, token.value]
  })
  return { commit, args: passed }
}

function count(text: string | undefined): number | undefined {
  return text === undefined ? undefined : whole(text)
}

function whole(text: string): number {
  const number = Number(text.replaceAll('_', ''))
  if (!Number.isSafeInteger(number) || number < 1) {
    throw new Error(`"${text}" is not a whole number above 0.\n\n${USAGE}`)
  }
  return number
}
