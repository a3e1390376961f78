import type { HeldSlot } from '@oncekey/core'
import type { BrokenLog } from './broken-log.ts'

/** Faults of a log that has begun another life. */
export const ofLives: readonly BrokenLog[] = [
  {
    fault: 'reads on from the positions of an earlier life',
    replaced: (log, { ofNow }) => ({
      read: (request) =>
        log.read({
          ...request,
          slots: request.slots.map((each) => ({ ...each, position: ofNow(each.position) })),
        }),
    }),
    caughtBy: ['another life: reads nothing from positions of an earlier one'],
  },
  {
    fault: 'begins the transaction of a consumer in any life',
    replaced: (log) => ({ takeIn: ({ slots: _, ...request }) => log.takeIn(request) }),
    caughtBy: ['another life: begins no transaction for slots that were leased in an earlier one'],
  },
  {
    fault: 'counts every holder of an earlier life as gone',
    replaced: (log, { ofNow }) => ({
      async lease(request) {
        const isNew = request.holding.some(({ epoch }) => ofNow(epoch) !== epoch)
        const lease = await log.lease(request)
        const taken = lease.taken.map((slot) => ({
          ...slot,
          crashes: slot.crashes + (isNew ? 1 : 0),
        }))
        return { ...lease, taken }
      },
    }),
    caughtBy: [
      'another life: gives a relay its slots again, and counts it as gone in none of them',
      'another life: gives every relay as long as its lease to come back for its slots',
    ],
  },
  {
    fault: 'gives everything to whoever asks first in another life',
    replaced: (log, { ofNow }) => {
      const held = new Map<string, readonly HeldSlot[]>()
      return {
        async lease(request) {
          const { consumer, relay, holding } = request
          const isOld = ({ epoch }: HeldSlot): boolean => ofNow(epoch) !== epoch
          for (const [other, slots] of held) {
            const [of, name = ''] = other.split('\n')
            if (of !== consumer || name === relay || !slots.some(isOld)) continue
            const now = slots.map((slot) => ({ ...slot, epoch: ofNow(slot.epoch) }))
            await log.release({ consumer, relay: name, slots: now, leaving: true })
            held.delete(other)
          }
          const lease = await log.lease(request)
          const kept = holding.filter(({ slot }) => !lease.lost.includes(slot))
          held.set(`${consumer}\n${relay}`, [...kept, ...lease.taken])
          return lease
        },
      }
    },
    caughtBy: [
      'another life: gives every relay as long as its lease to come back for its slots',
      'another life: counts a relay as gone that does not come back in that time',
    ],
  },
]
