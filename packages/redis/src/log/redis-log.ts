import { randomUUID } from 'node:crypto'
import { type EventLog, OncekeyError, type Settle } from '@oncekey/core'
import { openAttemptKeys } from '../record-keys.ts'
import { appendEventsScript } from '../scripts/append-events.ts'
import { advanceScript } from '../scripts/log/advance.ts'
import { countRelaysScript } from '../scripts/log/count-relays.ts'
import { emitOnceScript } from '../scripts/log/emit-once.ts'
import { forgetRelaysScript } from '../scripts/log/forget-relays.ts'
import { isRetiredScript } from '../scripts/log/is-retired.ts'
import { measureLagScript } from '../scripts/log/measure-lag.ts'
import { releaseSlotsScript } from '../scripts/log/release-slots.ts'
import { retireScript } from '../scripts/log/retire.ts'
import { settleDeliveriesScript } from '../scripts/log/settle-deliveries.ts'
import { subscribeScript } from '../scripts/log/subscribe.ts'
import { suspectEventScript } from '../scripts/log/suspect-event.ts'
import { logDeadLetters } from './dead-letters.ts'
import { heldKeys, takeDue } from './deliveries.ts'
import { leaseSlots } from './lease-slots.ts'
import { type LogState, logState } from './log-state.ts'
import { filedText } from './logged-entry.ts'
import { maintainLog } from './maintain.ts'
import { type RedisLogOptions, resolveLogOptions } from './options.ts'
import { readPage } from './read-page.ts'
import { allSlots } from './slot-keys.ts'
import { leave, putOnRecord, want } from './subscriptions.ts'
import { unreadableEntries } from './unreadable-entries.ts'

/**
 * The events of {@link redisStore} as a log that consumers read: cursors, leases, deliveries and dead
 * letters stand beside each stream, in its slot of a cluster, and one script changes all of them.
 *
 * It has no transactions: what a consumer takes effect for it must recognise itself, by the event's id.
 * And it keeps no order between requests, whose stream is chosen by their key. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const relay = createRelay({ log: redisLog({ client }), consumers: [shipping, email] })
 * relay.start()
 * ```
 */
export function redisLog(options: RedisLogOptions): EventLog<never> {
  const log: LogState = logState(resolveLogOptions(options))
  const unreadable = unreadableEntries()
  /** By this process: their cursors are there, unless they were lost or the consumer was retired. */
  const subscribed = new Set<string>()
  /** Of each consumer the slot behind which its next page begins. */
  const turns = new Map<string, number>()

  return {
    capabilities: {
      name: 'redis',
      transactions: false,
      ordering: false,
      concurrency: 'many',
      maxTransactions: 0,
    },

    async subscribe(subscription) {
      await log.ask(isRetiredScript, { consumer: subscription.consumer, begins: true })
      await log.askSlots(subscribeScript, allSlots, (slots) => ({ slots, subscription }))
      await putOnRecord(log, subscription.consumer, subscription.types)
      subscribed.add(subscription.consumer)
    },

    want: (request) => want(log, request),

    async retire(consumer) {
      subscribed.delete(consumer)
      await log.ask(forgetRelaysScript, { consumer })
      await log.askSlots(retireScript, allSlots, (slots) => ({ slots, consumer }))
    },

    async lease(request) {
      const lease = await leaseSlots(log, request, subscribed.has(request.consumer))
      for (const { slot } of lease.taken) unreadable.forget(request.consumer, slot)
      for (const slot of lease.lost) unreadable.forget(request.consumer, slot)
      return lease
    },

    async release({ consumer, relay, slots: held, leaving }) {
      for (const { slot } of held) unreadable.forget(consumer, slot)
      await log.askSlots(releaseSlotsScript, held, (slots) => ({ consumer, slots }))
      if (!leaving) return
      await log.ask(countRelaysScript, { consumer, relay, leaseMs: 0 })
      await leave(log, consumer, relay)
    },

    async read(request) {
      const { consumer } = request
      const found: Parameters<typeof readPage>[2] = (slot, entry) =>
        unreadable.add(consumer, slot, entry)
      const { lastFull, ...page } = await readPage(log, request, found, turns.get(consumer) ?? -1)
      turns.set(consumer, lastFull)
      return page
    },

    async advance({ consumer, slots: moves }) {
      const asked = moves.map((move) => ({
        ...move,
        failed: [
          ...move.failed.map(({ event, verdict, attempt }) => ({
            eventId: event.id,
            event: filedText(event),
            data: event.data,
            verdict,
            attempt,
          })),
          ...unreadable.upTo(consumer, move.slot, move.position),
        ],
      }))
      const lost = await log.askSlots(advanceScript, asked, (slots) => ({ consumer, slots }))
      for (const { slot, position } of moves) unreadable.passed(consumer, slot, position)
      return { lost: lost.flat() }
    },

    async suspect(request) {
      return (await log.ask(suspectEventScript, request)) ?? 'lost'
    },

    takeDue: (request) => takeDue(log, request),

    settle: (request) => settle(log, request),

    held: (request) => heldKeys(log, request),

    takeIn: unsupported,

    emit: ({ consumer, eventId, events }) =>
      log.ask(emitOnceScript, { consumer, eventId, events, keptMs: log.emittedRetentionMs }),

    async append(events) {
      const [first] = events
      if (first === undefined) return
      const keys = openAttemptKeys(first.orderingKey, randomUUID())
      await log.ask(appendEventsScript, { ...keys, events })
    },

    async lag(consumer) {
      const lags = await log.askSlots(measureLagScript, allSlots, (slots) => ({
        slots,
        consumer,
        most: COUNTED,
      }))
      const ages = lags.flatMap(({ oldestMs }) => oldestMs ?? [])
      return {
        events: Math.min(
          COUNTED,
          lags.reduce((sum, { events }) => sum + events, 0),
        ),
        oldestMs: ages.length === 0 ? null : Math.max(...ages),
        horizon: null,
      }
    },

    deadLetters: logDeadLetters(log),

    maintain: () => maintainLog(log),
  }
}

async function settle(
  log: LogState,
  { consumer, slots: held, settled }: Settle,
): Promise<{ lost: readonly number[] }> {
  const asked = held.map(({ slot, epoch }) => ({
    slot,
    epoch,
    settled: settled
      .filter((each) => each.slot === slot)
      .map(({ id, verdict, attempt }) => ({
        number: id.slice(id.indexOf('-') + 1),
        verdict,
        attempt,
      })),
  }))
  const lost = await log.askSlots(settleDeliveriesScript, asked, (slots) => ({ consumer, slots }))
  return { lost: lost.flat() }
}

async function unsupported(): Promise<never> {
  throw new OncekeyError(
    'transaction-unsupported',
    'takeIn(): Redis has no transaction that could take your writes along. Let the consumer recognise ' +
      'an event that it has taken effect for: by a unique column with `event.id`, in the transaction that ' +
      'writes; or by `inbox` of @oncekey/postgres.',
  )
}

const COUNTED = 10_000
