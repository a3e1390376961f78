import type { BrokenLog } from './broken-log.ts'
import { due } from './of-deliveries.ts'

/** Faults in what an operator sees and does. */
export const ofDeadLetters: readonly BrokenLog[] = [
  {
    fault: 'lists the newest first',
    replaced: (log) =>
      letters(log, {
        async list(filter: any, page: any) {
          const { items, next } = await log.deadLetters.list(filter, page)
          return { items: [...items].reverse(), next }
        },
      }),
    caughtBy: ['dead letters: are listed the oldest first, in pages, each once'],
  },
  {
    fault: 'takes a page for the last that its filter left short',
    replaced: (log) =>
      letters(log, {
        async list({ reason, ...filter }: any, page: any) {
          const { items, next } = await log.deadLetters.list(filter, page)
          const meant = items.filter((each) => reason === undefined || each.reason === reason)
          return { items: meant, next: meant.length < page.limit ? undefined : next }
        },
      }),
    caughtBy: [
      'dead letters: are found by a filter in pages, each once: a short page is not the last',
    ],
  },
  {
    fault: 'keeps only the last attempt',
    replaced: (log) =>
      letters(log, {
        async get(id: string) {
          const letter = await log.deadLetters.get(id)
          return letter && { ...letter, history: letter.history.slice(-1) }
        },
      }),
    caughtBy: ['dead letters: show the event and every attempt: when, how long, what error'],
  },
  {
    fault: 'redrives with a new id, as another event',
    replaced: (log) =>
      due(log, (each) =>
        each.redrives === 0
          ? each
          : { ...each, event: { ...each.event, id: crypto.randomUUID() }, attempts: 1 },
      ),
    caughtBy: [
      'dead letters: are redriven with the id of their event, and their attempts count from 1',
    ],
  },
  {
    fault: 'redrives by a part of the filter',
    replaced: (log) =>
      letters(log, {
        redrive: ({ origin, ids }: any, options: any) =>
          log.deadLetters.redrive({ ...(origin && { origin }), ...(ids && { ids }) }, options),
      }),
    caughtBy: ['dead letters: match the same filter in a redrive, a count and a list'],
  },
  {
    fault: 'takes a condition that it does not know, or that has no value, for none',
    replaced: (log) =>
      letters(log, {
        list: (filter: any, page: any) => log.deadLetters.list(known(filter), page),
        count: (filter: any) => log.deadLetters.count(known(filter)),
        redrive: (filter: any, options: any) => log.deadLetters.redrive(known(filter), options),
      }),
    caughtBy: [
      'dead letters: are not looked for by a condition that there is not, or that has no value',
    ],
  },
  {
    fault: 'redrives all at once',
    replaced: (log) =>
      letters(log, {
        redrive: (filter: any) => log.deadLetters.redrive(filter, { limit: 1_000 }),
      }),
    caughtBy: ['dead letters: are redriven up to the limit, the oldest first'],
  },
  {
    fault: 'says nothing of what it does not redrive, and forgets notes',
    replaced: (log) =>
      letters(log, {
        async redrive(filter: any, options: any) {
          return { ...(await log.deadLetters.redrive(filter, options)), refused: [] }
        },
        discard: (ids: any) => log.deadLetters.discard(ids, ''),
      }),
    caughtBy: [
      'dead letters: that were redriven and are done stay listed, and a second redrive reports them',
      'dead letters: that are in the inbox are not redriven, because they took effect',
      'dead letters: are discarded with a note, and not redriven after that',
    ],
  },
  {
    fault: 'undoes one of two acts on the same letters',
    replaced: (log) => {
      let acts = 0
      return letters(log, {
        async discard(ids: any, note: any, by: any) {
          acts += 1
          const isUndone = acts > 1
          await Promise.resolve()
          acts -= 1
          if (isUndone) throw new Error('deadlock detected')
          return log.deadLetters.discard(ids, note, by)
        },
      })
    },
    caughtBy: [
      'dead letters: that are redriven and discarded at once have one outcome each, and no act fails',
    ],
  },
  {
    fault: 'groups all errors together',
    replaced: (log) =>
      letters(log, {
        async stats() {
          const stats = await log.deadLetters.stats()
          return { ...stats, groups: stats.groups.slice(0, 1) }
        },
      }),
    caughtBy: ['dead letters: are counted and grouped by kind of error, with a sample'],
  },
]

function letters(log: any, replaced: object) {
  return { deadLetters: { ...log.deadLetters, ...replaced } }
}

/** The conditions that the memory log knows and that have a value. */
function known(filter: object): object {
  const has = ([name, value]: [string, unknown]) => name !== 'consumer' && value != null
  return Object.fromEntries(Object.entries(filter).filter(has))
}
