import { normalTypes } from '@oncekey/core'
import type { BrokenLog } from './broken-log.ts'

/** Faults in the record of several releases. */
export const ofSubscriptions: readonly BrokenLog[] = [
  {
    fault: 'lets everybody read what it asks for',
    replaced: (log) => {
      const lists = new Map<string, readonly string[] | null>()
      return {
        want: async (request) => {
          const standing = await log.want(request)
          return standing && { wanted: normalTypes(request.types), reads: true, alone: true }
        },
        async subscribe(subscription) {
          lists.set(subscription.consumer, subscription.types)
          await log.subscribe({ ...subscription, types: null })
        },
        async read(request) {
          const page = await log.read({ ...request, types: null })
          const { types } = request
          const isMeant = (type: string): boolean => types === null || types.includes(type)
          return { ...page, events: page.events.filter(({ type }) => isMeant(type)) }
        },
      }
    },
    caughtBy: [
      'subscriptions: match by prefix and all: `order.*`, `*`',
      'subscriptions: give way to a release with more types once it is on record',
      'subscriptions: let the relay with all wanted types read, or else the oldest live one',
    ],
  },
  {
    fault: 'keeps every list for ever',
    replaced: (log) => ({ release: (request) => log.release({ ...request, leaving: false }) }),
    caughtBy: ['subscriptions: end when the last relay with an older list leaves'],
  },
  {
    fault: 'forgets a list with its last relay, and knows consumers that nobody has named',
    replaced: (log) => ({
      async want(request) {
        const standing = await log.want(request)
        return standing === undefined || standing.wanted.length > 1
          ? { wanted: normalTypes(request.types), reads: true, alone: true }
          : standing
      },
    }),
    caughtBy: [
      'subscriptions: stay on record while a release may be restarting',
      'subscriptions: do not exist for an unknown consumer',
    ],
  },
  {
    fault: 'has who waits take its share',
    replaced: (log) => ({
      lease: ({ waiting: _, ...request }) => log.lease(request),
    }),
    caughtBy: [
      'subscriptions: let a waiting relay keep what it holds without counting in the shares',
    ],
  },
  {
    fault: "hands one release what is another one's",
    replaced: (log) => ({ takeDue: ({ types: _, ...request }) => log.takeDue(request) }),
    caughtBy: ['subscriptions: leave failed deliveries of another release’s types to that release'],
  },
]
