import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { EVENT_STORES, type EventCampaignOptions } from './events/options.ts'
import { BROKEN_RELAYS } from './events/programs/broken-relay.ts'
import { BROKEN, type Broken } from './programs/broken-store.ts'

export const STORES = [
  'postgres',
  'postgres-lease',
  'postgres-mixed',
  'postgres-standby-async',
  'postgres-standby-sync',
  'redis',
  'redis-sentinel',
] as const
export type StoreName = (typeof STORES)[number]

export const ADAPTERS = [
  'express',
  'fastify',
  'node',
  'hono',
  'koa',
  'nestjs-express',
  'nestjs-fastify',
] as const
export type Adapter = (typeof ADAPTERS)[number]

export const REDIS_PACKAGES = ['ioredis', 'node-redis'] as const
export type RedisPackage = (typeof REDIS_PACKAGES)[number]

export interface CampaignOptions {
  readonly store: StoreName
  /** How many orders are placed. */
  readonly orders: number
  /** How many faults are made meanwhile. */
  readonly faults: number
  /** The same seed gives the same orders and faults. */
  readonly seed: string
  /** How many orders are under way at once. */
  readonly concurrency: number
  /** A deliberately wrong store, to see that the campaign finds it. */
  readonly broken: Broken | undefined
  /** `false`: Redis runs without its append-only file, to see what is lost. */
  readonly durable: boolean
  /** For redis-sentinel: how many of two replicas a completion waits for (`WAIT`); 0 for none. */
  readonly replicas: number
  /**
   * For redis-sentinel: how many replicas a primary needs to accept writes
   * (`min-replicas-to-write`).
   */
  readonly minReplicas: number
  /** Only faults whose name contains this. */
  readonly only: string
  /** The servers that share the database, by their adapter. */
  readonly adapters: readonly Adapter[]
}

export const USAGE = `pnpm faults [options]

  --campaign NAME     orders, events (orders)
  --store NAME        ${STORES.join(', ')} (postgres)
  --ops N             orders to place, or operations that produce events (2000)
  --faults N          faults to make meanwhile (40)
  --seed TEXT         repeats orders and faults (a new one each time; it is printed)
  --concurrency N     orders at once (24)
  --minutes N         events: how long they are produced at most, faults included (60)
  --broken NAME       a store that is wrong and must be found out: ${BROKEN.join(', ')};
                      of events a relay: ${BROKEN_RELAYS.join(', ')}
  --not-durable       Redis without its append-only file
  --replicas N        redis-sentinel: replicas that a completion waits for, 0 to 2 (2)
  --min-replicas N    redis-sentinel: replicas that its primary needs to accept writes (1)
  --only TEXT         only faults whose name contains this
  --adapters LIST     orders: the servers, separated by commas (${ADAPTERS.join(',')})`

/**
 * The options of a command line; `undefined` for help. Throws a message about what is wrong with
 * it.
 */
export function campaignOptions(args: string[]): CampaignOptions | undefined {
  const { values } = parseArgs({ args, options: FLAGS })
  if (values.help) return undefined
  return {
    ...sharedOptions(values),
    store: oneOf('store', values.store, STORES),
    orders: count('ops', values.ops),
    adapters: values.adapters.split(',').map((name) => oneOf('adapters', name, ADAPTERS)),
    broken: values.broken === undefined ? undefined : oneOf('broken', values.broken, BROKEN),
  }
}

/** The options for a campaign of events; `undefined` if the command line asks for another one. */
export function eventCampaignOptions(args: string[]): EventCampaignOptions | undefined {
  const { values } = parseArgs({ args, options: FLAGS })
  const campaign = oneOf('campaign', values.campaign, ['orders', 'events'])
  if (values.help || campaign === 'orders') return undefined
  return {
    ...sharedOptions(values),
    store: oneOf('store', values.store, EVENT_STORES),
    operations: count('ops', values.ops),
    minutes: count('minutes', values.minutes),
    broken: values.broken === undefined ? undefined : oneOf('broken', values.broken, BROKEN_RELAYS),
  }
}

type Values = ReturnType<typeof parseArgs<{ args: string[]; options: typeof FLAGS }>>['values']

function sharedOptions(
  values: Values,
): Omit<CampaignOptions, 'store' | 'orders' | 'broken' | 'adapters'> {
  return {
    faults: count('faults', values.faults),
    seed: values.seed ?? randomInt(2 ** 31).toString(36),
    concurrency: count('concurrency', values.concurrency),
    durable: !values['not-durable'],
    replicas: count('replicas', values.replicas),
    minReplicas: count('min-replicas', values['min-replicas']),
    only: values.only,
  }
}

function count(name: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`--${name} takes a whole number, not "${text}".\n\n${USAGE}`)
}

function oneOf<Choice extends string>(
  name: string,
  value: string,
  choices: readonly Choice[],
): Choice {
  const choice = choices.find((choice) => choice === value)
  if (choice !== undefined) return choice
  throw new Error(`--${name} takes one of ${choices.join(', ')}, not "${value}".\n\n${USAGE}`)
}

const FLAGS = {
  campaign: { type: 'string', default: 'orders' },
  store: { type: 'string', default: 'postgres' },
  ops: { type: 'string', default: '2000' },
  faults: { type: 'string', default: '40' },
  seed: { type: 'string' },
  concurrency: { type: 'string', default: '24' },
  minutes: { type: 'string', default: '60' },
  broken: { type: 'string' },
  'not-durable': { type: 'boolean', default: false },
  replicas: { type: 'string', default: '2' },
  'min-replicas': { type: 'string', default: '1' },
  only: { type: 'string', default: '' },
  adapters: { type: 'string', default: ADAPTERS.join(',') },
  help: { type: 'boolean', default: false },
} as const
