import type { BrokenLog } from './broken-log.ts'

/** Faults in holding slots and moving cursors. */
export const ofHolding: readonly BrokenLog[] = [
  {
    fault: 'gives every slot to whoever asks',
    replaced: (log) => ({
      async lease(request) {
        const lease = await log.lease(request)
        const taken = Array.from({ length: 64 }, (_, slot) => ({
          slot,
          epoch: '1',
          position: '0',
          crashes: 0,
        }))
        return { ...lease, lost: [], taken: request.holding.length > 0 ? [] : taken }
      },
    }),
    caughtBy: ['leasing: gives a slot to one relay at a time'],
  },
  {
    fault: 'leaves the last slot to nobody',
    replaced: (log) => ({
      async lease(request) {
        const lease = await log.lease(request)
        return { ...lease, taken: lease.taken.filter(({ slot }) => slot !== 63) }
      },
    }),
    caughtBy: ['leasing: gives a single relay every slot'],
  },
  {
    fault: 'finds any share fair',
    replaced: (log) => ({
      async lease(request) {
        const relay = 'one for all'
        return await log.lease({ ...request, relay })
      },
    }),
    caughtBy: [
      'leasing: reports the fair share, and takes nothing away by itself',
      'leasing: shares released slots, up to the fair share',
    ],
  },
  {
    fault: 'moves a cursor three times and no more',
    replaced: (log) => {
      const moved = new Map<string, number>()
      return {
        async advance(request) {
          const isMoved = ({ slot }: { slot: number }): boolean => {
            const times = (moved.get(`${request.consumer} ${slot}`) ?? 0) + 1
            moved.set(`${request.consumer} ${slot}`, times)
            return times <= 3
          }
          const slots = request.slots.filter(isMoved)
          const { lost } = await log.advance({ ...request, slots })
          const refused = request.slots.filter((each) => !slots.includes(each))
          return { lost: [...lost, ...refused.map(({ slot }) => slot)] }
        },
      }
    },
    caughtBy: [
      'open transactions: that a page was read beside are passed event by event, the last one too',
    ],
  },
  {
    fault: 'does not renew',
    replaced: (log) => ({ lease: (request) => log.lease({ ...request, holding: [] }) }),
    caughtBy: ['leasing: takes over leases that ran out, and not renewed ones'],
  },
  {
    fault: 'has one epoch for ever, so that nobody is fenced off',
    replaced: (log) => {
      const epochs = new Map<string, string>()
      const real = (consumer: string, slots: readonly { slot: number }[]): any[] =>
        slots.map((each) => ({ ...each, epoch: epochs.get(`${consumer} ${each.slot}`) ?? '' }))
      return {
        async lease(request) {
          const holding = real(request.consumer, request.holding)
          const lease = await log.lease({ ...request, holding })
          for (const { slot, epoch } of lease.taken)
            epochs.set(`${request.consumer} ${slot}`, epoch)
          return { ...lease, taken: lease.taken.map((each) => ({ ...each, epoch: '1' })) }
        },
        release: (request) =>
          log.release({ ...request, slots: real(request.consumer, request.slots) }),
        advance: (move) => log.advance({ ...move, slots: real(move.consumer, move.slots) }),
        takeDue: (request) =>
          log.takeDue({ ...request, slots: real(request.consumer, request.slots) }),
        settle: (request) =>
          log.settle({ ...request, slots: real(request.consumer, request.slots) }),
        suspect: (request) =>
          log.suspect({ ...request, slot: real(request.consumer, [request.slot])[0] }),
      }
    },
    caughtBy: [
      'leasing: raises the epoch each time a slot is taken',
      'leasing: ignores a release by a relay that lost the slot',
      'advancing: does nothing for a relay that lost the slot: neither cursor nor failures',
      'advancing: moves the slots that are held even if others are lost',
      'suspects: are not counted for a relay that lost the slot',
      'deliveries: are not settled by a relay that lost the slot',
      'deliveries: come only to the holder of their slot',
    ],
  },
  {
    fault: 'never notices a crash',
    replaced: (log) => ({
      async lease(request) {
        const lease = await log.lease(request)
        return { ...lease, taken: lease.taken.map((each) => ({ ...each, crashes: 0 })) }
      },
    }),
    caughtBy: ['leasing: counts holders that disappeared, until an advance is calm'],
  },
  {
    fault: 'takes a relay that asks again for one that has gone',
    replaced: (log) => {
      const holders = new Map<string, number>()
      return {
        async lease(request) {
          const lease = await log.lease(request)
          const taken = lease.taken.map((slot) => {
            const key = `${request.consumer} ${slot.slot}`
            const crashes = holders.get(key) ?? 0
            holders.set(key, crashes + 1)
            return { ...slot, crashes }
          })
          return { ...lease, taken }
        },
      }
    },
    caughtBy: [
      'leasing: gives a relay what it holds and does not know of, and does not count it as gone',
    ],
  },
  {
    fault: 'keeps slots for a relay that does not know of them',
    replaced: (log) => {
      const given = new Map<string, Map<number, { slot: number; epoch: string }>>()
      return {
        async lease(request) {
          const relay = `${request.consumer} ${request.relay}`
          const its = given.get(relay) ?? new Map()
          given.set(relay, its)
          const lease = await log.lease({ ...request, holding: [...its.values()] })
          for (const slot of lease.lost) its.delete(slot)
          for (const { slot, epoch } of lease.taken) its.set(slot, { slot, epoch })
          return lease
        },
      }
    },
    caughtBy: [
      'leasing: lets others have what a relay holds, does not know of and is above its share',
    ],
  },
  {
    fault: 'forgets crashes with any advance',
    replaced: (log) => ({
      advance: (move) =>
        log.advance({ ...move, slots: move.slots.map((each) => ({ ...each, calm: true })) }),
    }),
    caughtBy: ['leasing: counts holders that disappeared, until an advance is calm'],
  },
  {
    fault: 'advances all slots or none',
    replaced: (log) => ({
      async advance(move) {
        const lost: number[] = []
        for (const { slot, epoch } of move.slots) {
          const nothing = { slot, epoch, position: '999999999', calm: false, failed: [] }
          if (epoch === '' || nothing.slot < 0) lost.push(slot)
        }
        const first = await log.advance({ ...move, slots: move.slots.slice(0, 1) })
        if (first.lost.length > 0 || lost.length > 0) {
          return { lost: move.slots.map(({ slot }) => slot) }
        }
        return await log.advance(move)
      },
    }),
    caughtBy: ['advancing: moves the slots that are held even if others are lost'],
  },
  {
    fault: 'says that cursors moved, and moves none',
    replaced: (log) => ({ advance: async () => ({ lost: [] }), lag: log.lag }),
    caughtBy: [
      'advancing: is where the next holder begins',
      'advancing: stops behind an event in the middle of a page',
      'advancing: never goes back',
      'retention: says how far a consumer is behind',
    ],
  },
  {
    fault: 'moves cursors and forgets what failed',
    replaced: (log) => ({
      advance: (move) =>
        log.advance({ ...move, slots: move.slots.map((each) => ({ ...each, failed: [] })) }),
    }),
    caughtBy: [
      'advancing: files failed deliveries in the same commit, and nothing else',
      'advancing: may be repeated after its reply was lost',
      'deliveries: come when they are due, and not before',
      'dead letters: are listed the oldest first, in pages, each once',
    ],
  },
  {
    fault: 'records a verdict as often as it is sent',
    replaced: (log) => ({
      settle: (request) =>
        log.settle({
          ...request,
          settled: request.settled.map(({ claimed: _, ...each }) => each),
        }),
    }),
    caughtBy: [
      'deliveries: are settled once, however often the verdict is sent',
      'deliveries: that died and were redriven are not ended by the old verdict, sent again',
    ],
  },
  {
    fault: 'counts a start and takes none back',
    replaced: (log) => ({
      suspect: async (request) => request.backTo ?? (await log.suspect(request)),
    }),
    caughtBy: ['suspects: are taken back one by one, and not once another event was counted'],
  },
  {
    fault: 'forgets every start with the one that is taken back',
    replaced: (log) => ({
      suspect: ({ backTo, ...request }) =>
        log.suspect({ ...request, ...(backTo !== undefined && { backTo: 0 }) }),
    }),
    caughtBy: ['suspects: are taken back one by one, and not once another event was counted'],
  },
  {
    fault: 'counts the starts of any event together',
    replaced: (log) => ({
      suspect: (request) => log.suspect({ ...request, eventId: 'any' }),
    }),
    caughtBy: [
      'suspects: are counted across holders; another event begins at 1',
      'suspects: are told to the next holder if this one disappears, where the log says them at all',
    ],
  },
  {
    fault: 'takes away what was read, whoever has not passed it',
    replaced: (log) => {
      const gone = new Set<string>()
      const read = new Set<string>()
      return {
        async read(request) {
          const page = await log.read(request)
          for (const { id } of page.events) read.add(id)
          return { ...page, events: page.events.filter(({ id }) => !gone.has(id)) }
        },
        async maintain() {
          for (const id of read) gone.add(id)
          return await log.maintain()
        },
      }
    },
    caughtBy: [
      'retention: keeps events that one consumer has passed and another has not',
      'retention: keeps events that were read but not passed',
    ],
  },
  {
    fault: 'forgets now and then what was taken in, whether it can come again or not',
    replaced: (log) => {
      let forgotten = 0
      return {
        takeIn: (request) =>
          log.takeIn({ ...request, consumer: `${request.consumer} ${forgotten}` }),
        async maintain() {
          forgotten += 1
          return await log.maintain()
        },
      }
    },
    caughtBy: ['inbox: remembers what was taken in for as long as the event is in the log'],
  },
  {
    fault: 'forgets all starts of a delivery that is given back',
    replaced: (log) => ({
      settle: (request) =>
        log.settle({
          ...request,
          settled: request.settled.map(({ startsLeft, ...each }) => each),
        }),
    }),
    caughtBy: ['suspects: that are on file are given back with the starts that stay on record'],
  },
  {
    fault: 'keeps a consumer that is retired',
    replaced: () => ({ retire: async () => ({ kept: 0, discarded: 0 }) }),
    caughtBy: [
      'retention: forgets a retired consumer, which starts anew',
      'retiring: keeps dead and retrying deliveries, apart from other dead letters',
      'retiring: leaves nothing to a new consumer of that name',
    ],
  },
]
