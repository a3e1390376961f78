import type { Redis } from 'ioredis'
import type { Pool } from 'pg'
import type { Database } from '../databases/database.ts'
import type { OnRecord } from '../databases/postgres-standby.ts'
import type { ConsumerPlan } from './consumed.ts'
import { type OpenLog, openLog } from './open-log.ts'
import type { EventStoreName } from './options.ts'

/** An event in the surviving database. */
export interface KeptEvent {
  readonly id: string
  readonly type: string
  readonly orderingKey: string
  readonly mark: string
  /**
   * Its number among the events of its ordering key, in the order of their commits; `null` if that
   * is not defined.
   */
  readonly n: number | null
}

/** An effect that a consumer's inbox let through; they are kept in order. */
export interface Effect {
  readonly consumer: string
  readonly id: string
}

/** The contents of the database at the end. */
export interface EventBooks {
  events(): Promise<KeptEvent[]>
  effects(): Promise<Effect[]>
  /** What is unfinished, in words: lag, deliveries, dead letters. */
  unsettled(consumers: readonly ConsumerPlan[]): Promise<string[]>
  /** What stopped relays still hold, in words. */
  held(): Promise<string[]>
  close(): Promise<void>
}

export function eventBooks(store: EventStoreName, { ports, reachedBy }: Database): EventBooks {
  const open = openLog(store, reachedBy(ports))
  const lags = async (consumers: readonly ConsumerPlan[]): Promise<string[]> => {
    const all = await Promise.all(consumers.map(({ name }) => open.log.lag(name)))
    return all.flatMap(({ events }, at) =>
      events === 0 ? [] : [`${consumers[at]?.name} is ${events} events behind`],
    )
  }
  const ofStore = open.pool === undefined ? redisBooks(open) : postgresBooks(open.pool)
  return {
    ...ofStore,
    unsettled: async (consumers) => [...(await lags(consumers)), ...(await ofStore.deliveries())],
    close: open.close,
  }
}

type OfStore = Omit<EventBooks, 'unsettled' | 'close'> & { deliveries(): Promise<string[]> }

function postgresBooks(pool: Pool): OfStore {
  const words = async (sql: string): Promise<string[]> =>
    (await pool.query<{ what: string }>(sql)).rows.map(({ what }) => what)
  return {
    async events() {
      const { rows } = await pool.query<KeptEvent>(
        `select id::text, type, ordering_key as "orderingKey", data->>'mark' as mark,
                (data->>'n')::int as n
           from oncekey.outbox`,
      )
      return rows
    },
    async effects() {
      const { rows } = await pool.query<Effect>(
        'select consumer, key as id from effects order by at',
      )
      return rows
    },
    deliveries: () =>
      words(
        `select consumer || ' has ' || count(*) || ' ' || state || ', such as: ' || coalesce(min(error_message), 'none') as what
           from oncekey.deliveries group by consumer, state
         union all
         select 'webhooks have ' || count(*) || ' ' || state || ', such as: ' || coalesce(min(error), 'none')
           from oncekey.webhook_deliveries where state <> 'delivered' group by state`,
      ),
    held: () =>
      words(
        `select consumer || ' slot ' || slot || ' is leased by ' || relay as what
           from oncekey.cursors where lease_until > clock_timestamp()
         union all
         select 'a transaction, ' || state || ': ' || query from pg_stat_activity
          where backend_type = 'client backend' and xact_start is not null
            and pid <> pg_backend_pid()`,
      ),
  }
}

/**
 * Redis keeps each slot under its own keys, with one key for the retrying deliveries of each
 * consumer.
 */
function redisBooks({ redis }: OpenLog): OfStore {
  const client = redis as Redis
  const each = async <T>(ask: (slot: number) => Promise<T[]>): Promise<T[]> => {
    const all: T[] = []
    for (let slot = 0; slot < 64; slot++) all.push(...(await ask(slot)))
    return all
  }
  return {
    events: () =>
      each(async (slot) => {
        const entries = await client.xrange(`oncekey:{${slot}}:outbox`, '-', '+')
        return entries.map(([, fields]) => {
          const value = (name: string): string => fields[fields.indexOf(name) + 1] ?? ''
          return {
            id: value('id'),
            type: value('type'),
            orderingKey: value('partitionkey'),
            mark: JSON.parse(value('data')).mark,
            n: null,
          }
        })
      }),
    effects: async () => [],
    deliveries: () =>
      each(async (slot) => {
        // This field is the counter of delivery numbers, which stays.
        const fields = await client.hkeys(`oncekey:{${slot}}:deliveries`)
        const count = fields.filter((field) => field.endsWith(':state')).length
        return count === 0 ? [] : [`slot ${slot} has ${count} deliveries`]
      }),
    held: async () => [],
  }
}

/** For a failover: what a server has that another may lack. */
export const eventsOnRecord: OnRecord = {
  names: marksOnRecord,
  async count(pool) {
    const { rows } = await pool.query<{ count: string }>('select count(*) from oncekey.outbox')
    return Number(rows[0]?.count)
  },
}

export async function marksOnRecord(pool: Pool): Promise<Set<string>> {
  const { rows } = await pool.query<{ name: string }>(
    `select id::text as name from oncekey.outbox
     union all select data->>'mark' from oncekey.outbox where data->>'mark' is not null`,
  )
  return new Set(rows.map(({ name }) => name))
}
