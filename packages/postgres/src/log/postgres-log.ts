import {
  type DueDelivery,
  type EventLog,
  type Lease,
  type LeaseRequest,
  type LoggedEvent,
  OncekeyError,
} from '@oncekey/core'
import { sqlState } from '../sql-state.ts'
import { logDeadLetters } from './dead-letters.ts'
import { openIntake } from './intake.ts'
import { type LogState, logState } from './log-state.ts'
import { maintainLog } from './maintain.ts'
import { type PostgresLogOptions, resolveLogOptions } from './options.ts'
import { positionOf } from './place.ts'
import { readingOf } from './read-page.ts'
import type { LeaseJson } from './statements/lease-slots.ts'
import { oldestWriter } from './statements/oldest-writer.ts'
import { rebaseCursors } from './statements/rebase-cursors.ts'
import type { DueJson } from './statements/take-due.ts'

/**
 * The outbox of {@link postgresStore} as a log that consumers read. Throws `OptionsError`.
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
  let reads = 0

  return {
    capabilities: {
      name: 'postgres',
      transactions: true,
      ordering: true,
      concurrency: client.concurrency,
      maxTransactions: log.maxTransactions,
    },

    async subscribe(subscription) {
      await ask(statements.subscribe(subscription))
    },

    async retire(consumer) {
      await ask(statements.retire(consumer))
    },

    lease: (request) => leased(log, request),

    async release(request) {
      await ask(statements.releaseSlots(request))
    },

    async read(request) {
      reads += 1
      const reading = readingOf(request, reads % NEWEST_EVERY === 0)
      const rows = await ask(statements.readEvents(reading.question)).catch(async (error) => {
        if (!isFromAnotherLife(error)) throw error
        await rebased(log)
        throw restored(error)
      })
      return reading.page(rows)
    },

    async advance(move) {
      const [row] = await ask(statements.advance(move))
      return { lost: JSON.parse(row?.lost ?? '[]') }
    },

    async suspect(request) {
      const [row] = await ask(statements.suspectEvent(request))
      return row === undefined ? 'lost' : Number(row.starts)
    },

    async takeDue(request) {
      const [row] = await ask(statements.takeDue(request))
      const { deliveries, next_in_ms }: DueJson = JSON.parse(row?.answer ?? '')
      return { deliveries: deliveries.map(dueDelivery), nextInMs: next_in_ms }
    },

    async settle(request) {
      const [row] = await ask(statements.settleDeliveries(request))
      return { lost: JSON.parse(row?.lost ?? '[]') }
    },

    async held({ consumer, slots }) {
      const rows = await ask(statements.heldKeys(consumer, slots))
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

    async append(events) {
      await ask(statements.appendEvents(events))
    },

    async lag(consumer) {
      const [row] = await ask(statements.logLag(consumer, COUNTED))
      const [writer] = client.concurrency === 'one' ? [] : await ask(oldestWriter())
      return {
        events: Number(row?.events),
        oldestMs: row?.oldest_ms == null ? null : Number(row.oldest_ms),
        horizon: writer === undefined ? null : { ageMs: Number(writer.age_ms), pid: writer.pid },
      }
    },

    deadLetters: logDeadLetters(log),

    maintain: () => maintainLog(log),
  }
}

async function leased<Tx>(log: LogState<Tx>, request: LeaseRequest): Promise<Lease> {
  const ask = () => log.ask(log.statements.leaseSlots(request))
  const [row] = await ask().catch(async (error) => {
    if (!isFromAnotherLife(error)) throw error
    await rebased(log)
    return ask()
  })
  const { share, relays, lost, taken }: LeaseJson = JSON.parse(row?.answer ?? '')
  return {
    share,
    relays,
    lost,
    taken: taken.map(({ slot, epoch, crashes, f, t, o, s }) => ({
      slot,
      epoch,
      crashes,
      position: positionOf({ from: f, to: t, floor: Number(o), seq: Number(s) }),
    })),
  }
}

async function rebased<Tx>({ ask, schema, schemaName }: LogState<Tx>): Promise<void> {
  const [row] = await ask(rebaseCursors(schema))
  if (Number(row?.rebased) === 0) return
  process.emitWarning(
    `The database of the schema "${schemaName}" was restored from a copy. ${row?.rebased} cursors ` +
      'were set right; events that had been delivered shortly before the copy was made may be ' +
      'delivered again.',
    { code: 'ONCEKEY', type: 'OncekeyWarning' },
  )
}

function isFromAnotherLife(error: unknown): boolean {
  return sqlState(error) === 'OK003'
}

function restored(cause: unknown): OncekeyError {
  return new OncekeyError(
    'log-restored',
    'The database was restored from a copy: the cursors were set right, and slots must be leased anew.',
    { cause },
  )
}

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

const COUNTED = 10_000

/** What others read is passed over again and again in between; to look each time costs as much as reading nothing. */
const NEWEST_EVERY = 16
