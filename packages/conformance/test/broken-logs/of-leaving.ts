import type { BrokenLog } from './broken-log.ts'

/** Faults in what a relay that leaves gives back. */
export const ofLeaving: readonly BrokenLog[] = [
  {
    fault: 'counts relays that have left',
    replaced: (log) => ({ release: (request) => log.release({ ...request, leaving: false }) }),
    caughtBy: ['leasing: does not count relays that left in the shares'],
  },
  {
    fault: 'keeps, for a relay that leaves, what it does not name',
    replaced: (log) => ({
      async release(request) {
        await log.release({ ...request, leaving: request.leaving && request.slots.length === 64 })
      },
    }),
    caughtBy: [
      'leasing: gives others at once all that a relay held when it left, known to it or not',
    ],
  },
  {
    fault: 'gives away, for a relay that leaves, what others hold',
    replaced: (log) => {
      const relays = new Map<string, Set<string>>()
      return {
        async lease(request) {
          const those = relays.get(request.consumer) ?? new Set()
          relays.set(request.consumer, those.add(request.relay))
          return await log.lease(request)
        },
        async release(request) {
          const { consumer, leaving } = request
          await log.release(request)
          if (!leaving) return
          for (const relay of relays.get(consumer) ?? [])
            await log.release({ ...request, relay, slots: [] })
        },
      }
    },
    caughtBy: ['leasing: takes nothing from the others when a relay leaves'],
  },
]
