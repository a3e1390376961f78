import { type DueDelivery, OncekeyError } from '@oncekey/core'
import type { BrokenLog } from './broken-log.ts'

/** Faults in what failed, and in the inbox. */
export const ofDeliveries: readonly BrokenLog[] = [
  {
    fault: 'tries again at once, whatever the delay',
    replaced: (log) => ({
      advance: (move) =>
        log.advance({
          ...move,
          slots: move.slots.map((slot) => ({
            ...slot,
            failed: slot.failed.map((each) =>
              each.verdict.kind === 'retrying'
                ? { ...each, verdict: { ...each.verdict, delayMs: 0 } }
                : each,
            ),
          })),
        }),
    }),
    caughtBy: ['deliveries: come when they are due, and not before'],
  },
  {
    fault: 'keeps the data of deliveries as its database likes it, and counts no starts',
    replaced: (log) =>
      due(log, (each) => ({
        ...each,
        starts: each.attempts,
        event: { ...each.event, headers: '{}' },
      })),
    caughtBy: [
      'deliveries: come with the event as it was read, and what was counted',
      'deliveries: count attempts by how they ended, starts apart',
      'deliveries: that were started and never settled come alone',
    ],
  },
  {
    fault: 'shows what is dead where it is asked what is retrying',
    replaced: (log) => ({
      deadLetters: { ...log.deadLetters, listRetrying: log.deadLetters.list },
    }),
    caughtBy: [
      'dead letters: that are on their way again are listed apart, with when they are tried next',
    ],
  },
  {
    fault: 'settles nothing',
    replaced: () => ({ settle: async () => ({ lost: [] }) }),
    caughtBy: [
      'deliveries: are off file once they are done',
      'deliveries: behind another of their ordering key come once that is settled, one after the other',
      'dead letters: that were redriven and are done are kept as that, and a second redrive says so',
    ],
  },
  {
    fault: 'gives out again what is under way',
    replaced: (log) => ({ takeDue: (request) => log.takeDue({ ...request, except: [] }) }),
    caughtBy: ['deliveries: that are under way are left out, where they are named'],
  },
  {
    fault: 'does not let what waits behind another wait',
    replaced: (log) => ({
      advance: (move) =>
        log.advance({
          ...move,
          slots: move.slots.map((slot) => ({
            ...slot,
            failed: slot.failed.map((each) => ({
              ...each,
              attempt: each.attempt ?? {
                startedAtMs: 0,
                durationMs: 0,
                error: { name: '', message: '', code: null, stack: null, fingerprint: '' },
              },
            })),
          })),
        }),
    }),
    caughtBy: [
      'deliveries: behind another of their ordering key come once that is settled, one after the other',
    ],
  },
  {
    fault: 'lets what is filed late wait for ever',
    replaced: (log) => ({
      advance: (move) =>
        log.advance({
          ...move,
          slots: move.slots.map((slot) => ({
            ...slot,
            failed: slot.failed.map((each) =>
              each.attempt === null && slot.failed.length === 1
                ? { ...each, verdict: { kind: 'retrying', delayMs: 1e9 } }
                : each,
            ),
          })),
        }),
    }),
    caughtBy: ['deliveries: filed behind one that was settled in the meantime are due at once'],
  },
  {
    fault: 'hands out what is due, whatever is before it in the log',
    replaced: (log) => ({
      takeDue: ({ run, ...request }) => log.takeDue(request),
    }),
    caughtBy: [
      'deliveries: come in runs to who is in order: with the first of a key what waits for it',
      'deliveries: do not come to who is in order while one before them is to wait',
      'deliveries: that were redriven come to who is in order before what is behind them in the log',
    ],
  },
  {
    fault: 'hands out whole runs behind what a process may have died of',
    replaced: (log) => due(log, (each) => ({ ...each, starts: each.attempts + 1 })),
    caughtBy: [
      'deliveries: that were started and never settled come alone to who is in order, too',
    ],
  },
  {
    fault: 'does not know what is held',
    replaced: () => ({ held: async () => [] }),
    caughtBy: ['deliveries: are counted by ordering key, for whoever takes a slot over'],
  },
  {
    fault: 'writes at once, outside of the transaction',
    replaced: (log, { store }) => ({
      async takeIn(request) {
        const intake = await log.takeIn(request)
        const data = store.data as Map<string, unknown>
        const handle = {
          get: (id: string) => data.get(id),
          set: (id: string, value: unknown) => void data.set(id, value),
          delete() {},
        }
        return { ...intake, handle }
      },
    }),
    caughtBy: [
      'inbox: leaves nothing behind after a rollback, and takes the event in the next time',
      'inbox: ends the transaction: later use of it fails and reaches nothing',
    ],
  },
  {
    fault: 'looks first and marks later',
    replaced: (log, { store }) => {
      const marks = new Set<string>()
      return {
        async takeIn({ consumer, eventIds }) {
          const fresh = new Set(eventIds.filter((id) => !marks.has(consumer + id)))
          const staged: string[] = []
          let over = false
          const check = (): void => {
            if (over) throw new OncekeyError('transaction-over', 'over')
          }
          return {
            handle: {
              get: () => undefined,
              set: (id: string) => {
                check()
                staged.push(id)
              },
              delete() {},
            },
            fresh,
            async commit(events) {
              over = true
              for (const id of staged) (store.data as Map<string, unknown>).set(id, true)
              for (const id of eventIds) marks.add(consumer + id)
              await log.append(events)
            },
            async rollback() {
              over = true
            },
          }
        },
      }
    },
    caughtBy: ['inbox: takes an event in once, of ten that try at the same time'],
  },
  {
    fault: 'takes all for fresh where one is, and one mark for every consumer',
    replaced: (log) => ({
      async takeIn(request) {
        const intake = await log.takeIn({ ...request, consumer: 'anybody' })
        const fresh = intake.fresh.size > 0 ? new Set(request.eventIds) : intake.fresh
        return { ...intake, fresh }
      },
    }),
    caughtBy: [
      'inbox: says which of many were not taken in before',
      'inbox: keeps consumers apart',
    ],
  },
  {
    fault: 'marks nothing and commits events apart',
    replaced: (log) => ({
      async takeIn(request) {
        const intake = await log.takeIn({ ...request, consumer: request.consumer + Math.random() })
        return { ...intake, commit: () => intake.commit([]) }
      },
      async emit({ events }) {
        await log.append(events)
        return 'done'
      },
    }),
    caughtBy: [
      'inbox: commits writes, events and the mark together',
      'inbox: commits what was emitted without a transaction once',
      'dead letters: that have taken effect all the same are not redriven: the inbox knows',
    ],
  },
]

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
      'dead letters: are redriven with the id of their event, and their attempts begin anew',
    ],
  },
  {
    fault: 'redrives by a part of the filter',
    replaced: (log) =>
      letters(log, {
        redrive: ({ origin, ids }: any, options: any) =>
          log.deadLetters.redrive({ ...(origin && { origin }), ...(ids && { ids }) }, options),
      }),
    caughtBy: [
      'dead letters: match in a redrive what they match in a count and a list, whatever the filter',
    ],
  },
  {
    fault: 'redrives all at once',
    replaced: (log) =>
      letters(log, {
        redrive: (filter: any) => log.deadLetters.redrive(filter, { limit: 1_000 }),
      }),
    caughtBy: ['dead letters: are redriven no more at once than was asked, the oldest first'],
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
      'dead letters: that were redriven and are done are kept as that, and a second redrive says so',
      'dead letters: that have taken effect all the same are not redriven: the inbox knows',
      'dead letters: are given up with a note, and not redriven after that',
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
    caughtBy: [
      'dead letters: are counted, and grouped by kind of error with one of them to look at',
    ],
  },
]

function due(log: any, change: (due: DueDelivery) => DueDelivery) {
  return {
    async takeDue(request: any) {
      const taken = await log.takeDue(request)
      return { ...taken, deliveries: taken.deliveries.map(change) }
    },
  }
}

function letters(log: any, replaced: object) {
  return { deadLetters: { ...log.deadLetters, ...replaced } }
}
