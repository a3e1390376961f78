import type { BrokenLog } from './broken-log.ts'

/** Faults in what remains of a retired consumer. */
export const ofRetiring: readonly BrokenLog[] = [
  {
    fault: 'keeps what is left, whatever it was told',
    replaced: (log) => ({ retire: (consumer) => log.retire(consumer) }),
    caughtBy: [
      'retiring: discards dead and retrying deliveries on request, with a note',
      'retiring: refuses an invalid option before anything is retired',
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
      'retiring: keeps dead and retrying deliveries, apart from other dead letters',
      'retiring: lists what it kept page by page, each once',
      'retiring: leaves nothing to a new consumer of that name',
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
    caughtBy: ['retiring: refuses to redrive what it kept; that can be discarded'],
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
    caughtBy: ['retiring: lets a new consumer of that name file an event that failed before'],
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
      'retiring: fences off earlier holders, also from the slots of a new consumer of that name',
    ],
  },
  {
    fault: 'subscribes what is unknown again in every life but that of its subscription',
    replaced: (log, { ofNow }) => {
      const lives = new Map<string, string>()
      return {
        async subscribe(subscription) {
          await log.subscribe(subscription)
          lives.set(subscription.consumer, ofNow('0'))
        },
        async lease(request) {
          const { consumer } = request
          const isKnown = (await log.lag(consumer)).known
          if (!isKnown && lives.get(consumer) !== ofNow('0')) {
            await log.subscribe({ consumer, types: null, startAt: 'beginning' })
          }
          return log.lease(request)
        },
      }
    },
    caughtBy: [
      'retiring: is not undone by a relay that runs on, in a later life of the log either',
      'retiring: is not undone by a relay that was away while the log began another life',
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
    caughtBy: ['retiring: of an unknown consumer changes nothing'],
  },
]
