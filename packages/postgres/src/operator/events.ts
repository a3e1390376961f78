import { boundedPage, checkPageLimit, meansType, rowsToRead } from '@oncekey/core'
import { type PostgresClient, sqlClientOf } from '../bridges/postgres-client.ts'
import { pageToken, partsOfToken } from '../sql/page-token.ts'
import { quotedSchema } from '../sql/schema-name.ts'
import type { Statement } from '../sql/sql-client.ts'
import { sqlState } from '../sql/sql-state.ts'
import { storeError } from '../sql/store-error.ts'
import {
  deliveriesOfEvent,
  type EventDeliveryRow,
  type EventRow,
  eventFrom,
  eventsSince,
  eventWithin,
  lastEvent,
  newestEvents,
  presentPlace,
  useUpId,
} from './statements/events.ts'

/** An event as the log has it. */
export interface EventSummary {
  readonly id: string
  /**
   * The event's number in the log. Numbers follow the order of inserts, which can differ a little
   * from the order of commits.
   */
  readonly seq: string
  readonly type: string
  readonly source: string
  readonly subject: string | null
  readonly orderingKey: string
  /** JSON text, as it was written. */
  readonly data: string
  readonly headers: Readonly<Record<string, string>>
  readonly occurredAt: Date
}

/** An event matches if it matches every property that is given. */
export interface EventFilter {
  /** Type names or prefixes: `order.created`, `order.*`. */
  readonly types?: readonly string[]
  readonly subject?: string
}

/**
 * Shows an operator the events that are still in the log. Reading changes nothing, and opens no
 * transaction that would keep vacuum from old rows.
 */
export interface Events {
  /**
   * Lists events, the newest first. Each call looks at a bounded number of rows, so a page may be
   * short and still have a `next`.
   */
  list(
    filter: EventFilter,
    page: { readonly limit: number; readonly after?: string },
  ): Promise<{ readonly items: readonly EventSummary[]; readonly next: string | undefined }>
  /**
   * Finds an event by its id. The id contains a time, and only the rows around that time, some
   * 200,000, are searched. `undefined` if the event is not there or no longer there.
   */
  get(id: string): Promise<EventSummary | undefined>
  /**
   * What has become of this event in each consumer that takes its type, sorted by the consumer's
   * name.
   */
  deliveries(event: EventSummary): Promise<readonly EventDelivery[]>
  /**
   * The place to pass to the first call of `since`. It is behind everything that is committed at
   * the moment of the call.
   */
  place(): Promise<EventPlace>
  /**
   * Returns the events that were committed after `place`, and the place to pass to the next call.
   * Each event is returned once, in whatever order transactions commit; at most 1,000 at a time.
   */
  since(place: EventPlace): Promise<{
    readonly events: readonly EventSummary[]
    readonly place: EventPlace
  }>
}

/** One event for one consumer. */
export interface EventDelivery {
  readonly consumer: string
  /**
   * `waiting`: the consumer's cursor has not passed the event. `passed`: the event succeeded at
   * once, or is older than the consumer. `retrying`, `dead` and `resolved`: there is a delivery on
   * file, whose id is in `delivery`.
   */
  readonly state: 'waiting' | 'passed' | 'retrying' | 'dead' | 'resolved'
  /**
   * The id of the delivery on file, which is a dead letter or may become one; null if there is
   * none.
   */
  readonly delivery: string | null
  readonly attempts: number | null
  /** The error of the last attempt. */
  readonly error: { readonly name: string; readonly message: string } | null
}

/** Where `since` continues. Store it and pass it on unchanged. */
export interface EventPlace {
  readonly from: string
  readonly to: string | null
  readonly seq: string
  readonly after: string
}

/**
 * The events in one schema.
 *
 * @example
 * ```ts
 * await postgresEvents({ client: pool }).list({ types: ['order.*'] }, { limit: 50 })
 * ```
 */
export function postgresEvents<Tx>(options: {
  readonly client: PostgresClient<Tx>
  /** @default 'oncekey' */
  readonly schema?: string
}): Events {
  const name = options.schema ?? 'oncekey'
  const schema = quotedSchema(name)
  const client = sqlClientOf(options.client, { prepare: false })

  return {
    async list(filter, { limit, after }) {
      checkPageLimit('events.list', limit)
      const [before = null] = after === undefined ? [] : partsOfToken('events.list', after, [1])
      const read = rowsToRead(limit)
      const rows = await ask(newestEvents(schema)({ before, limit: read }))
      const isMeant = (event: EventSummary): boolean => matches(filter, event)
      const { shown, last } = boundedPage(rows.map(eventOf), { read, limit, isMeant })
      return { items: shown, next: last && pageToken([last.seq]) }
    },

    async get(id) {
      if (!UUID.test(id)) return undefined
      const [last] = await ask(lastEvent(schema))
      if (last?.seq == null) return undefined
      const around = await numberAt(timeOf(id), BigInt(last.seq))
      for (const { from, to } of rangesAround(around)) {
        const [row] = await ask(eventWithin(schema)({ id, from: String(from), to: String(to) }))
        if (row !== undefined) return eventOf(row)
      }
      return undefined
    },

    async deliveries({ id, seq, type }) {
      const rows = await ask(deliveriesOfEvent(schema)({ id, seq }))
      const takes = (row: EventDeliveryRow): boolean =>
        row.delivery !== null || row.wanted === null || meansType(JSON.parse(row.wanted), type)
      return rows.filter(takes).map((row) => ({
        consumer: row.consumer,
        state: row.state ?? (row.is_ahead === 'true' ? 'waiting' : 'passed'),
        delivery: row.delivery,
        attempts: row.attempts === null ? null : Number(row.attempts),
        error:
          row.error_name === null
            ? null
            : { name: row.error_name, message: row.error_message ?? '' },
      }))
    },

    async place() {
      const [row] = await askInReach(presentPlace(schema))
      return { from: row?.from ?? '', to: null, seq: row?.seq ?? '0', after: '0' }
    },

    async since(place) {
      const rows = await askInReach(eventsSince(schema)({ ...place, limit: MOST }))
      const to = rows.at(-1)?.data ?? place.from
      // A query returns at most this many rows. What it cuts off comes on the next page, which
      // reads up to the same `to`.
      const events = rows.slice(0, -1).slice(0, MOST)
      const last = events.at(-1)?.seq ?? '0'
      return {
        events: events.map(eventOf),
        place:
          events.length === MOST
            ? { from: place.from, to, seq: place.seq, after: last }
            : { from: to, to: null, seq: max(place.seq, last), after: '0' },
      }
    },
  }

  /**
   * The number of the first event from a time on, found by binary search; if the time is unknown,
   * the last number.
   */
  async function numberAt(time: number | undefined, last: bigint): Promise<bigint> {
    if (time === undefined) return last
    let [low, high] = [0n, last]
    while (low < high) {
      const middle = (low + high) / 2n
      const [row] = await ask(eventFrom(schema)(String(middle)))
      if (row === undefined || Number(row.occurred_at) >= time) high = middle
      else low = BigInt(row.seq) + 1n
    }
    return low
  }

  /**
   * Runs a statement that takes a snapshot. The server refuses it if too many ids have begun since
   * the last transaction that has completed, and one is then completed. While more than 500 begin
   * in each round trip, as those of an import with a savepoint for every row, that error is thrown
   * after the third try.
   */
  async function askInReach<Row>(statement: Statement<Row>): Promise<Row[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask(statement)
      } catch (error) {
        if (sqlState(error) !== OUT_OF_REACH || tries === 3) throw error
      }
      await ask(useUpId())
    }
  }

  async function ask<Row>(statement: Statement<Row>): Promise<Row[]> {
    return await client.query(statement, { timeoutMs: TIMEOUT_MS }).catch((error) => {
      throw storeError(error, name)
    })
  }
}

function matches({ types, subject }: EventFilter, event: EventSummary): boolean {
  return (
    (types === undefined || meansType(types, event.type)) &&
    (subject === undefined || event.subject === subject)
  )
}

function eventOf(row: EventRow): EventSummary {
  return {
    id: row.id,
    seq: row.seq,
    type: row.type,
    source: row.source,
    subject: row.subject,
    orderingKey: row.ordering_key,
    data: row.data,
    headers: JSON.parse(row.headers),
    occurredAt: new Date(Number(row.occurred_at)),
  }
}

/** The time at the beginning of a UUIDv7, in milliseconds since 1970. */
function timeOf(id: string): number | undefined {
  return id[14] === '7' ? Number.parseInt(id.replace('-', '').slice(0, 12), 16) : undefined
}

const max = (one: string, other: string): string => (BigInt(one) > BigInt(other) ? one : other)

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/**
 * The numbers up to `REACH` on each side of one, in ranges, the nearest first: no single statement
 * reads more rows than a range has numbers.
 */
function rangesAround(number: bigint): { readonly from: bigint; readonly to: bigint }[] {
  const ranges = [{ from: number - RANGE / 2n, to: number + RANGE / 2n - 1n }]
  for (let away = RANGE / 2n; away < REACH; away += RANGE) {
    ranges.push({ from: number - away - RANGE, to: number - away - 1n })
    ranges.push({ from: number + away, to: number + away + RANGE - 1n })
  }
  return ranges.filter(({ to }) => to >= 0n)
}

/**
 * How many numbers are searched on each side of where the event should be: clocks differ, and a
 * long transaction commits late.
 */
const REACH = 100_000n
const RANGE = 20_000n
const MOST = 1_000
/** The error of `present_snapshot_2`. */
const OUT_OF_REACH = 'OK005'
const TIMEOUT_MS = 10_000
