import { type DueDelivery, OncekeyError } from '@oncekey/core'
import type { BrokenLog } from './broken-log.ts'

/** Faults in failed deliveries and in the inbox. */
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
      'deliveries: come with the event as read, and with their counts',
      'deliveries: count attempts by outcome, and starts separately',
      'deliveries: that were started but never settled come alone',
    ],
  },
  {
    fault: 'shows what is dead where it is asked what is retrying',
    replaced: (log) => ({
      deadLetters: { ...log.deadLetters, listRetrying: log.deadLetters.list },
    }),
    caughtBy: [
      'dead letters: that are being retried are listed separately, with their next attempt',
    ],
  },
  {
    fault: 'files by what was retrying when it began, and wakes only what was filed by then',
    replaced(log) {
      const asleep = new Map<string, string>()
      return {
        async advance(move) {
          const all = move.slots.flatMap(({ failed }) => failed)
          const waiting = all.filter(({ attempt }) => attempt === null)
          const slots = move.slots.map(({ slot }) => slot)
          const held = await log.held({ consumer: move.consumer, slots })
          const isHeld = (key: string) => held.some(({ orderingKey }) => orderingKey === key)
          await new Promise(setImmediate)
          const result = await log.advance(move)
          for (const { event } of waiting) {
            if (isHeld(event.orderingKey)) asleep.set(event.id, event.orderingKey)
          }
          return result
        },
        async settle(request) {
          const result = await log.settle(request)
          const retrying = await log.held({
            consumer: request.consumer,
            slots: request.slots.map(({ slot }) => slot),
          })
          for (const [id, key] of asleep) {
            const count = retrying.find(({ orderingKey }) => orderingKey === key)?.count ?? 0
            if (count <= 1) asleep.delete(id)
          }
          return result
        },
        async takeDue(request) {
          const found = await log.takeDue(request)
          const deliveries = found.deliveries.filter(({ event }) => !asleep.has(event.id))
          return { ...found, deliveries }
        },
      }
    },
    caughtBy: [
      'deliveries: that are filed while the one before them ends come to an ordered consumer',
    ],
  },
  {
    fault: 'settles nothing',
    replaced: () => ({ settle: async () => ({ lost: [] }) }),
    caughtBy: [
      'deliveries: are deleted once they are done',
      'deliveries: behind another of their ordering key come once that is settled, one after the other',
      'dead letters: that were redriven and are done stay listed, and a second redrive reports them',
    ],
  },
  {
    fault: 'takes an old verdict for that of the attempt under way',
    replaced: (log) => ({
      settle: (request) =>
        log.settle({
          ...request,
          settled: request.settled.map(({ claimed: _, ...each }) => each),
        }),
    }),
    caughtBy: [
      'deliveries: are settled once, however often the verdict is sent',
      'deliveries: that were started again are not ended by the old verdict, sent again',
    ],
  },
  {
    fault: 'gives out again what is under way',
    replaced: (log) => ({ takeDue: (request) => log.takeDue({ ...request, except: [] }) }),
    caughtBy: ['deliveries: that are named in `except` are left out'],
  },
  {
    fault: 'serves one slot after the other, whatever has waited longest',
    replaced: (log) => ({
      async takeDue({ slots, limit, ...request }) {
        const deliveries: DueDelivery[] = []
        let nextInMs: number | null = null
        for (const slot of slots.toSorted((one, other) => one.slot - other.slot)) {
          const left = { ...request, slots: [slot], limit: limit - deliveries.length }
          if (left.limit === 0) break
          const due = await log.takeDue(left)
          deliveries.push(...due.deliveries)
          nextInMs = due.nextInMs === null ? nextInMs : Math.min(due.nextInMs, nextInMs ?? 1e9)
        }
        return { deliveries, nextInMs }
      },
    }),
    caughtBy: [
      'deliveries: come the oldest first, whatever their slots, if more are due than asked for',
    ],
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
    caughtBy: ['deliveries: filed behind one that was settled meanwhile are due at once'],
  },
  {
    fault: 'hands out what is due, whatever is before it in the log',
    replaced: (log) => ({
      takeDue: ({ run, ...request }) => log.takeDue(request),
    }),
    caughtBy: [
      'deliveries: come in runs to an ordered consumer: the first of a key with those that wait for it',
      'deliveries: do not come to an ordered consumer while an earlier one waits',
      'deliveries: that were redriven come to an ordered consumer before those behind them in the log',
    ],
  },
  {
    fault: 'hands out whole runs behind what a process may have died of',
    replaced: (log) => due(log, (each) => ({ ...each, starts: each.attempts + 1 })),
    caughtBy: [
      'deliveries: that were started but never settled come alone to an ordered consumer, too',
    ],
  },
  {
    fault: 'does not know what is held',
    replaced: () => ({ held: async () => [] }),
    caughtBy: ['deliveries: are counted by ordering key, for a relay that takes a slot over'],
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
      'inbox: ends the transaction: later use of it fails and writes nothing',
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
    caughtBy: ['inbox: reports which of several events are new', 'inbox: keeps consumers apart'],
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
      'inbox: commits events emitted without a transaction once',
      'dead letters: that are in the inbox are not redriven, because they took effect',
    ],
  },
]

export function due(log: any, change: (due: DueDelivery) => DueDelivery) {
  return {
    async takeDue(request: any) {
      const taken = await log.takeDue(request)
      return { ...taken, deliveries: taken.deliveries.map(change) }
    },
  }
}
