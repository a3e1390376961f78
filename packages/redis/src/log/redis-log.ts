import { randomUUID } from 'node:crypto'
import {
  type AppendRequest,
  checkEvents,
  checkedRequestId,
  type EventLog,
  OncekeyError,
  type OutboxEvent,
  type Settle,
} from '@oncekey/core'
import { evictionWatch } from '../client/eviction.ts'
import { lostConnections } from '../client/lost-connections.ts'
import { hanging, isRefusal, storeError } from '../client/store-error.ts'
import { redisOperations } from '../store/operator/operations.ts'
import { openAttemptKeys } from '../store/record/record-keys.ts'
import { appendEventsScript } from '../stream/append-events.ts'
import { consumerControl } from './acts/consumer-control.ts'
import { logDeadLetters } from './dead/dead-letters.ts'
import { heldKeys, takeDue } from './deliveries.ts'
import { entryIdOf } from './keys/life.ts'
import { allSlots } from './keys/slot-keys.ts'
import { lagOf } from './lag.ts'
import { leaseSlots } from './lease-slots.ts'
import { maintainLog } from './maintain.ts'
import { readPage } from './read-page.ts'
import { beginAnew, retire } from './retire.ts'
import { subscribeScript } from './scripts/consumers/subscribe.ts'
import { settleDeliveriesScript } from './scripts/deliveries/settle-deliveries.ts'
import { advanceScript } from './scripts/reading/advance.ts'
import { emitOnceScript } from './scripts/reading/emit-once.ts'
import { suspectEventScript } from './scripts/reading/suspect-event.ts'
import { countRelaysScript } from './scripts/slots/count-relays.ts'
import { releaseSlotsScript } from './scripts/slots/release-slots.ts'
import { type LogState, logState } from './state/log-state.ts'
import { filedText } from './state/logged-entry.ts'
import { type RedisLogOptions, resolveLogOptions } from './state/options.ts'
import { leave, putOnRecord, want } from './subscriptions.ts'
import { unreadableEntries } from './unreadable-entries.ts'

/**
 * The events of {@link redisStore} as a log for consumers. Cursors, leases, deliveries and dead
 * letters are kept beside each stream, in the same hash slot of a cluster, so that one script can
 * change all of them.
 *
 * It has no transactions: a consumer must recognise by the event's id that it has already handled
 * an event. Events of different requests have no order, because the stream depends on the request's
 * key. Throws `OptionsError`.
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
  const lookForEviction = evictionWatch(log)
  /**
   * Consumers that this process has subscribed. Their cursors exist, unless they were lost. One
   * that was retired is taken out, because its mark expires, and its missing cursors would then
   * count as lost.
   */
  const subscribed = new Set<string>()
  /** For each consumer, the slot behind which its next page starts. */
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
      await beginAnew(log, subscription.consumer)
      await log.askSlots(subscribeScript, allSlots, (slots) => ({ slots, subscription }))
      await putOnRecord(log, subscription.consumer, subscription.types)
      await lookForEviction()
      subscribed.add(subscription.consumer)
    },

    want: (request) => want(log, request),

    async retire(consumer, options) {
      const retired = await retire(log, consumer, options)
      subscribed.delete(consumer)
      return retired
    },

    async lease(request) {
      const { consumer } = request
      const { isRetired, ...lease } = await leaseSlots(log, request, subscribed.has(consumer))
      if (isRetired) subscribed.delete(consumer)
      else if (lease.taken.length > 0) subscribed.add(consumer)
      for (const { slot } of lease.taken) unreadable.forget(consumer, slot)
      for (const slot of lease.lost) unreadable.forget(consumer, slot)
      return lease
    },

    async release({ consumer, relay, slots: held, leaving }) {
      for (const { slot } of held) unreadable.forget(consumer, slot)
      const epochs = new Map(held.map(({ slot, epoch }) => [slot, epoch]))
      const those = leaving
        ? allSlots.map((slot) => ({ slot, epoch: epochs.get(slot) ?? '' }))
        : held
      await log.askSlotsThere(releaseSlotsScript, those, (slots) => ({
        consumer,
        leaving: leaving ? relay : undefined,
        slots,
      }))
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
          ...unreadable.upTo(consumer, move.slot, entryIdOf(move.position)),
        ],
      }))
      const moved = await log.writeSlots(advanceScript, asked, (slots) => ({ consumer, slots }))
      for (const { slot, position } of moves) unreadable.passed(consumer, slot, entryIdOf(position))
      return { lost: lostIn(moved) }
    },

    async suspect(request) {
      return (await log.ask(suspectEventScript, { ...request, start: randomUUID() })) ?? 'lost'
    },

    takeDue: (request) => takeDue(log, request),

    settle: (request) => settle(log, request),

    held: (request) => heldKeys(log, request),

    takeIn: unsupported,

    emit: ({ consumer, eventId, events }) =>
      log.ask(emitOnceScript, { consumer, eventId, events, keptMs: log.emittedRetentionMs }),

    append: (events, options) => append(log, events, options),

    lag: (consumer) => lagOf(log, consumer),

    deadLetters: logDeadLetters(log),

    control: consumerControl(log.ask),

    operations: redisOperations(log.scripts),

    async maintain() {
      await lookForEviction()
      return maintainLog(log)
    },
  }
}

/**
 * Appends events to one stream. The script's mark has the name of the request, if it has one, so
 * that it is known when it is sent again.
 */
async function append(
  log: LogState,
  events: readonly OutboxEvent[],
  options: AppendRequest = {},
): Promise<void> {
  checkEvents(events)
  const requestId = checkedRequestId(options.requestId, 'append')
  const [first] = events
  if (first === undefined) return
  const mark = requestId === undefined ? randomUUID() : `request:${requestId}`
  const question = { ...openAttemptKeys(first.orderingKey, mark), events }
  if (log.scripts.hangs(appendEventsScript, question)) {
    throw storeError('store-unavailable', hanging())
  }
  const lost = lostConnections(log.client)
  const lostBefore = lost.count
  try {
    await log.ask(appendEventsScript, question)
  } catch (error) {
    // The client may have sent it twice: then what was refused is the second copy.
    const mayBeTwice = lost.count > lostBefore || log.client.resendsUnseen === true
    throw isUnanswered(error, mayBeTwice) ? unconfirmed(error) : error
  }
}

/** Whether Redis has not refused the script, so that it may have run. */
function isUnanswered(error: unknown, mayBeTwice: boolean): error is OncekeyError {
  const isAsked = error instanceof OncekeyError && error.code === 'store-unavailable'
  return isAsked && (mayBeTwice || !isRefusal(error.cause))
}

function unconfirmed(cause: OncekeyError): OncekeyError {
  return new OncekeyError(
    'commit-failed',
    `It is unknown whether the events were appended: ${cause.message}. Send them again with the same ` +
      'requestId, or look for them before you append them again.',
    { cause },
  )
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
      .map(({ id, verdict, attempt, startsLeft, claimed }) => ({
        number: id.slice(id.indexOf('-') + 1),
        verdict,
        attempt,
        ...(startsLeft !== undefined && { startsLeft }),
        ...(claimed !== undefined && { claimed }),
      })),
  }))
  const ended = await log.writeSlots(settleDeliveriesScript, asked, (slots) => ({
    consumer,
    slots,
  }))
  return { lost: lostIn(ended) }
}

/**
 * A write to a node that is away may not have taken effect, so the node's slots count as lost. They
 * are taken again, and continue from what is on record.
 */
function lostIn(written: {
  readonly replies: readonly (readonly number[])[]
  readonly away: readonly { readonly slot: number }[]
}): number[] {
  return [...written.replies.flat(), ...written.away.map(({ slot }) => slot)]
}

async function unsupported(): Promise<never> {
  throw new OncekeyError(
    'transaction-unsupported',
    'takeIn(): Redis has no transaction that could include your writes. Let the consumer recognize ' +
      'an event that it has already handled: by a unique column with `event.id`, in the transaction that ' +
      'writes, or by `inbox` of @oncekey/postgres.',
  )
}
