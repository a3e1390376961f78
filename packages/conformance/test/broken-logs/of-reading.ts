import type { EventLog, LoggedEvent, ReadRequest } from '@oncekey/core'
import type { BrokenLog } from './broken-log.ts'

/** Faults in reading. */
export const ofReading: readonly BrokenLog[] = [
  {
    fault: 'gives the last event of a page again with the next',
    replaced: (log) => {
      const kept = new Map<string, LoggedEvent>()
      return {
        async read(request) {
          const page = await log.read(request)
          const again = kept.get(request.consumer)
          const last = page.events.at(-1)
          if (last !== undefined) kept.set(request.consumer, last)
          return again === undefined ? page : { ...page, events: [again, ...page.events] }
        },
      }
    },
    caughtBy: ['reading: returns every event once to a reader that continues, page by page'],
  },
  {
    fault: 'loses what was opened before something that was read: a plain number',
    replaced: (log) => {
      // Numbers are assigned in the order of writing; here the event's id represents that order.
      const late = new Set<string>()
      let opened = 0
      return {
        async append(events) {
          // Events committed by open() come alone, after something else was read.
          for (const { id } of events) if (opened > 0) late.add(id)
          await log.append(events)
        },
        async read(request) {
          const page = await log.read(request)
          opened += page.events.length
          return { ...page, events: page.events.filter(({ id }) => !late.has(id)) }
        },
      }
    },
    caughtBy: [
      'open transactions: delay nobody, and their events come when they commit',
      'open transactions: that commit between two pages are neither lost nor repeated',
      'open transactions: that span many reads come once each, across takeovers',
    ],
  },
  {
    fault: 'appends what comes before an event that it refuses',
    replaced: (log) => ({
      async append(events) {
        for (const event of events) await log.append([event])
      },
    }),
    caughtBy: ['reading: returns nothing of an append that contains an invalid event'],
  },
  {
    fault: 'appends whatever is sent again, under any requestId',
    replaced: (log) => ({ append: (events) => log.append(events) }),
    caughtBy: [
      'reading: returns once what was appended again with the same requestId',
      'reading: appends nothing under an invalid requestId',
    ],
  },
  {
    fault: 'says nothing of an append that it refuses',
    replaced: (log) => ({
      append: (events) => log.append(events).catch(() => {}),
    }),
    caughtBy: ['reading: returns nothing of an append that contains an invalid event'],
  },
  {
    fault: 'gives more than was asked for',
    replaced: (log) => ({ read: (request) => log.read({ ...request, limit: request.limit + 1 }) }),
    caughtBy: ['reading: returns at most the limit, and whether there may be more'],
  },
  {
    fault: 'bounds pages by number and not by bytes',
    replaced: (log) => ({
      read: (request) => log.read({ ...request, maxBytes: Number.MAX_SAFE_INTEGER }),
      takeDue: (request) => log.takeDue({ ...request, maxBytes: Number.MAX_SAFE_INTEGER }),
    }),
    caughtBy: [
      'reading: limits a page in bytes, returns one event of any size, and continues behind it',
      'deliveries: are limited in bytes, and only those returned are counted as started',
    ],
  },
  {
    fault: 'never says that there is more',
    replaced: (log) => ({
      read: async (request) => ({ ...(await log.read(request)), more: false }),
    }),
    caughtBy: ['reading: returns at most the limit, and whether there may be more'],
  },
  {
    fault: 'gives a page in any order',
    replaced: (log) => changed(log, (events) => [...events].reverse()),
    caughtBy: ['reading: returns the events of an ordering key in the order they were appended'],
  },
  {
    fault: 'rounds times, forgets headers and takes no subject for an empty one',
    replaced: (log) =>
      changed(log, (events) =>
        events.map((event) => ({
          ...event,
          headers: '{}',
          subject: event.subject ?? '',
          occurredAtMs: Math.floor(event.occurredAtMs / 1000) * 1000,
        })),
      ),
    caughtBy: ['reading: returns events as they were written'],
  },
  {
    fault: 'takes what was read for done',
    replaced: (log) => {
      const given = new Set<string>()
      return changed(log, (events, { consumer }) =>
        events.filter(({ id }) => {
          const isNew = !given.has(consumer + id)
          given.add(consumer + id)
          return isNew
        }),
      )
    },
    caughtBy: [
      'reading: moves nothing: the same positions return the same events',
      'retention: keeps events that were read but not passed',
    ],
  },
  {
    fault: 'gives every event the position of the end of its page',
    replaced: (log) => ({
      async read(request) {
        const page = await log.read(request)
        const ends = new Map(page.next.map(({ slot, position }) => [slot, position]))
        return {
          ...page,
          events: page.events.map((event) => ({ ...event, position: ends.get(event.slot) ?? '' })),
        }
      },
    }),
    caughtBy: [
      'reading: continues behind an event from its position, in its slot',
      'reading: reads each slot from its own position',
      'advancing: stops behind an event in the middle of a page',
    ],
  },
  {
    fault: 'gives the events of slots that were not asked for',
    replaced: (log) => ({
      async read(request) {
        const [first] = request.slots
        const slots = Array.from({ length: 64 }, (_, slot) => ({
          slot,
          position: first?.position ?? '0',
        }))
        const page = await log.read({ ...request, slots })
        const asked = new Set(request.slots.map(({ slot }) => slot))
        return { ...page, next: page.next.filter(({ slot }) => asked.has(slot)) }
      },
    }),
    caughtBy: ['reading: returns only the requested slots, and all of their events'],
  },
  {
    fault: 'reads all slots from the place of the first',
    replaced: (log) => ({
      read(request) {
        const position = request.slots[0]?.position ?? '0'
        const slots = request.slots.map(({ slot }) => ({ slot, position }))
        return log.read({ ...request, slots })
      },
    }),
    caughtBy: ['reading: reads each slot from its own position'],
  },
  {
    fault: 'gives all types to everybody',
    replaced: (log) => ({ read: (request) => log.read({ ...request, types: null }) }),
    caughtBy: ['reading: returns only the requested types, and passes the others'],
  },
  {
    fault: 'begins with the next event, whatever is asked for',
    replaced: (log) => ({ subscribe: (it) => log.subscribe({ ...it, startAt: 'now' }) }),
    caughtBy: [
      'reading: begins with the next event, or with the oldest there is, as a new consumer asks',
    ],
  },
  {
    fault: 'begins anew when a consumer subscribes again',
    replaced: (log) => ({
      async subscribe(subscription) {
        await log.retire(subscription.consumer)
        await log.subscribe(subscription)
      },
    }),
    caughtBy: [
      'reading: continues where it was for a consumer that subscribes again',
      'advancing: is where the next holder begins',
    ],
  },
  {
    fault: 'tells of a consumer that it does not know that it is not behind',
    replaced: (log) => ({
      lag: async (consumer) => ({ ...(await log.lag(consumer)), known: true }),
    }),
    caughtBy: ['retention: reports an unknown consumer as unknown, not as up to date'],
  },
  {
    fault: 'tells how long events have been waiting by the time they bear',
    replaced: (log) => {
      let occurredAtMs = Date.now()
      return {
        async append(events) {
          occurredAtMs = Math.min(...events.map(({ occurredAt }) => occurredAt.getTime()))
          await log.append(events)
        },
        async lag(consumer) {
          const lag = await log.lag(consumer)
          return { ...lag, oldestMs: lag.oldestMs === null ? null : Date.now() - occurredAtMs }
        },
      }
    },
    caughtBy: [
      'retention: says how long an event has been waiting by its own clock, not by that of who emitted it',
    ],
  },
  {
    fault: 'shows the events of a transaction that was rolled back',
    replaced: (log) => ({ append: log.append }),
    open: (log) => async (events) => {
      await log.append(events)
      return { commit: async () => {}, rollback: async () => {} }
    },
    caughtBy: ['open transactions: that are rolled back leave nothing'],
  },
]

function changed(
  log: EventLog<any>,
  change: (events: readonly LoggedEvent[], request: ReadRequest) => readonly LoggedEvent[],
): Pick<EventLog, 'read'> {
  return {
    async read(request) {
      const page = await log.read(request)
      return { ...page, events: change(page.events, request) }
    },
  }
}
