import type { BrokenLog } from './broken-log.ts'

/** Faults in what is left of a consumer that was retired. */
export const ofRetiring: readonly BrokenLog[] = [
  {
    fault: 'keeps what is left, whatever it was told',
    replaced: (log) => ({ retire: (consumer) => log.retire(consumer) }),
    caughtBy: [
      'retiring: discards what is dead and what is retrying, with a note, where it is asked to',
      'retiring: refuses a choice that is none, before anything is retired',
    ],
  },
  {
    fault: 'lists and counts what was retired among what is dead, and one page of it',
    replaced: (log) => ({
      deadLetters: {
        ...log.deadLetters,
        async list(filter, page) {
          const { items } = await log.deadLetters.list({ ...filter, retired: true }, page)
          return items.length > 0 ? { items, next: undefined } : log.deadLetters.list(filter, page)
        },
        count: async (filter) =>
          (await log.deadLetters.count({ ...filter, retired: true })) +
          (await log.deadLetters.count(filter)),
      },
    }),
    caughtBy: [
      'retiring: keeps what is dead and what is retrying apart from the dead letters there are',
      'retiring: pages through what it kept, each once',
      'retiring: leaves nothing to a consumer of that name: no delivery, no letter, no group',
    ],
  },
  {
    fault: 'puts back what nobody takes any more',
    replaced: (log) => ({
      deadLetters: {
        ...log.deadLetters,
        async redrive(filter, options) {
          const done = await log.deadLetters.redrive(filter, options)
          return {
            redriven: [
              ...done.redriven,
              ...done.refused.flatMap(({ id, outcome }) => (outcome === 'retired' ? id : [])),
            ],
            refused: done.refused.filter(({ outcome }) => outcome !== 'retired'),
          }
        },
      },
    }),
    caughtBy: ['retiring: redrives nothing of what it kept, and says why; that can be discarded'],
  },
  {
    fault: 'takes an event for filed that has failed to a consumer of that name before',
    replaced: (log) => {
      const filed = new Set<string>()
      return {
        advance: (move) =>
          log.advance({
            ...move,
            slots: move.slots.map((slot) => ({
              ...slot,
              failed: slot.failed.filter(({ event }) => {
                const name = `${move.consumer} ${event.id}`
                if (filed.has(name)) return false
                filed.add(name)
                return true
              }),
            })),
          }),
      }
    },
    caughtBy: [
      'retiring: files what fails to a consumer of that name, whatever became of that event before',
    ],
  },
  {
    fault: 'counts the epochs of a consumer from 1 again after it was retired',
    replaced: (log) => {
      const held = new Map<string, string>()
      return {
        async lease(request) {
          const lease = await log.lease(request)
          for (const { slot, epoch } of lease.taken) held.set(`${request.consumer} ${slot}`, epoch)
          return lease
        },
        advance: (move) =>
          log.advance({
            ...move,
            slots: move.slots.map((each) => ({
              ...each,
              epoch: held.get(`${move.consumer} ${each.slot}`) ?? each.epoch,
            })),
          }),
      }
    },
    caughtBy: [
      'retiring: fences off who held its slots, also from those of a consumer of that name',
    ],
  },
  {
    fault: 'fails where there is nothing to retire',
    replaced: (log) => ({
      async retire(consumer, options) {
        const retired = await log.retire(consumer, options)
        if (retired.kept + retired.discarded === 0) throw new Error('Nothing of it was there.')
        return retired
      },
    }),
    caughtBy: ['retiring: of a consumer that is not known changes nothing'],
  },
]
