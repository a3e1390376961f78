import {
  type DueDelivery,
  type EventLog,
  type LoggedEvent,
  OncekeyError,
  type ReadRequest,
  retirement,
  type Settle,
} from '@oncekey/core'
import { postgresOperations } from '../operator/audit/operations.ts'
import { sqlState } from '../sql/sql-state.ts'
import { appendAlone } from './append-alone.ts'
import { consumerControl } from './consumer-control.ts'
import { logDeadLetters } from './dead-letters.ts'
import { inReach } from './in-reach.ts'
import { openIntake } from './intake.ts'
import { leased, subscribed } from './leasing.ts'
import { type LogState, logState } from './log-state.ts'
import { maintenance } from './maintain.ts'
import { type PostgresLogOptions, resolveLogOptions } from './options.ts'
import { readingOf } from './read-page.ts'
import { isFromAnotherLife, rebased, restored } from './rebase.ts'
import type { DueJson } from './statements/deliveries.ts'
import { oldestWriter } from './statements/reading.ts'
import { leave, putOnRecord, want } from './subscriptions.ts'

/**
 * The log for a relay: consumers read the events that {@link postgresStore} wrote to its outbox.
 * Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const relay = createRelay({ log: postgresLog({ client: pool }), consumers: [shipping, email] })
 * relay.start()
 * ```
 */
export function postgresLog<Tx>(options: PostgresLogOptions<Tx>): EventLog<Tx> {
  const log = logState(resolveLogOptions(options))
  const { ask, client, statements } = log

  return {
    capabilities: {
      name: 'postgres',
      transactions: true,
      ordering: true,
      concurrency: client.concurrency,
      maxTransactions: log.maxTransactions,
    },

    async subscribe(subscription) {
      await subscribed(log, subscription)
      await putOnRecord(log, subscription.consumer, subscription.types)
    },

    want: (request) => want(log, request),

    async retire(consumer, options) {
      const choice = retirement(options)
      const [row] = await ask(statements.retire(consumer, choice), { timeoutMs: RETIRE_MS })
      log.subscribed.delete(consumer)
      const count = Number(row?.count)
      const isKept = choice.remaining === 'keep'
      return { kept: isKept ? count : 0, discarded: isKept ? 0 : count }
    },

    lease: (request) => leased(log, request),

    async release(request) {
      await ask(statements.releaseSlots(request))
      if (request.leaving) await leave(log, request.consumer, request.relay)
    },

    async read(request) {
      const reading = readingOf(request, LOOKED_AT)
      const rows = await inReach(log, statements.readEvents(reading.question)).catch((error) => {
        if (sqlState(error) === OTHER_TYPES) throw changed(request, error)
        throw isFromAnotherLife(error) ? restored(error) : error
      })
      return reading.page(rows)
    },

    async advance(move) {
      const [row] = await ask(statements.advance(move))
      return { lost: JSON.parse(row?.lost ?? '[]') }
    },

    async suspect(request) {
      const { backTo } = request
      const [row] = await ask(
        backTo === undefined
          ? statements.suspectEvent(request)
          : statements.unsuspectEvent(request, backTo),
      )
      return row === undefined ? 'lost' : Number(row.starts)
    },

    async takeDue(request) {
      const [row] = await ask(statements.takeDue(request))
      const { deliveries, next_in_ms }: DueJson = JSON.parse(row?.reply ?? '')
      return { deliveries: deliveries.map(dueDelivery), nextInMs: next_in_ms }
    },

    async settle(request) {
      const isBack = (each: Settle['settled'][number]) => each.startsLeft !== undefined
      const back = request.settled.filter(isBack)
      const settled = request.settled.filter((each) => !isBack(each))
      // A relay that stops has half a second for all of its last statements.
      const given =
        back.length > 0 && (await ask(statements.giveBack({ ...request, settled: back })))
      const [row] =
        given && settled.length === 0
          ? given
          : await ask(statements.recordVerdicts({ ...request, settled }))
      return { lost: JSON.parse(row?.lost ?? '[]') }
    },

    async held({ consumer, slots, orderingKeys }) {
      const rows = await ask(statements.heldKeys(consumer, slots, orderingKeys))
      return rows.map((row) => ({
        slot: Number(row.slot),
        orderingKey: row.ordering_key,
        count: Number(row.count),
      }))
    },

    takeIn: (request) => openIntake(log, request),

    async emit({ consumer, eventId, events }) {
      const [row] = await ask(statements.emitOnce(consumer, eventId, events))
      return row?.outcome ?? 'duplicate'
    },

    append: (events, options) => appendAlone(log, events, options),

    async lag(consumer) {
      const [row] = await lagOf(log, consumer)
      const [writer] = client.concurrency === 'one' ? [] : await ask(oldestWriter())
      return {
        known: row?.known === 'true',
        events: Number(row?.events),
        oldestMs: row?.oldest_ms == null ? null : Number(row.oldest_ms),
        horizon: writer === undefined ? null : { ageMs: Number(writer.age_ms), pid: writer.pid },
      }
    },

    deadLetters: logDeadLetters(log),

    control: consumerControl((statement) => ask(statement), log.schema),

    operations: postgresOperations({ client, schema: log.schemaName, quotedSchema: log.schema }),

    maintain: maintenance(log),
  }
}

async function lagOf<Tx>(log: LogState<Tx>, consumer: string) {
  const ask = () => log.ask(log.statements.logLag(consumer, COUNTED))
  return await ask().catch(async (error) => {
    if (!isFromAnotherLife(error)) throw error
    await rebased(log)
    return ask()
  })
}

function changed({ consumer }: ReadRequest, cause: unknown): OncekeyError {
  return new OncekeyError(
    'subscription-changed',
    `The releases of consumer "${consumer}" now take other types than this reader asks for.`,
    { cause },
  )
}

const OTHER_TYPES = 'OK004'

/** Retiring rewrites the consumer's deliveries: a million of them take a minute. */
const RETIRE_MS = 600_000

function dueDelivery(row: DueJson['deliveries'][number]): DueDelivery {
  const event: LoggedEvent = {
    slot: row.slot,
    position: '',
    id: row.id,
    type: row.type,
    source: row.source,
    subject: row.subject,
    orderingKey: row.ordering_key,
    data: row.data,
    headers: row.headers,
    occurredAtMs: row.occurred_at,
  }
  const { delivery: id, attempts, starts, redrives } = row
  return { id, event, attempts, starts, redrives }
}

/** The highest count that a lag reports. */
const COUNTED = 10_000

/**
 * How many rows one reading looks at, whether the consumer wants their types or not: about ten
 * milliseconds of work.
 */
const LOOKED_AT = 20_000
