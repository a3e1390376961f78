import type { ConsumerControl, EventLog, Redrives } from '@oncekey/core'
import type { BrokenLog } from './broken-log.ts'

/** The log with some of its redrives' methods replaced. */
const redriving =
  (change: (right: Redrives, log: EventLog<any>) => Partial<Redrives>): BrokenLog['replaced'] =>
  (log) => {
    const right = log.deadLetters.redrives as Redrives
    const redrives = { ...right, ...change(right, log) }
    return { deadLetters: { ...log.deadLetters, redrives } }
  }

/** The log with some of its control's methods replaced. */
const controlling =
  (change: (right: ConsumerControl) => Partial<ConsumerControl>): BrokenLog['replaced'] =>
  (log) => {
    const right = log.control as ConsumerControl
    return { control: { ...right, ...change(right) } }
  }

/** Faults in redrives on record. */
export const ofRedrives: readonly BrokenLog[] = [
  {
    fault: 'carries one portion, and no more',
    replaced: redriving((right) => {
      let hasCarried = false
      return {
        async carry() {
          if (hasCarried) return { redriven: 0, nextInMs: null }
          hasCarried = true
          return right.carry()
        },
      }
    }),
    caughtBy: [
      'redrives on record: take what matches, portion by portion, the oldest first, and end',
      'redrives on record: are carried on by another process',
    ],
  },
  {
    fault: 'carries no redrive until a clock that was put back has come as far again',
    replaced: (log, inside) => {
      let latest = inside.now()
      return redriving((right) => ({
        start(...asked) {
          latest = Math.max(latest, inside.now())
          return right.start(...asked)
        },
        async carry() {
          const behindMs = latest - inside.now()
          return behindMs > 0 ? { redriven: 0, nextInMs: behindMs } : right.carry()
        },
      }))(log, inside)
    },
    caughtBy: ['redrives on record: go on at once if the clock is put back'],
  },
  {
    fault: 'forgets who started a redrive, and lists the oldest first',
    replaced: redriving((right) => ({
      start: (filter, pace) => right.start(filter, pace),
      async list(filter, page) {
        const { items, next } = await right.list(filter, page)
        return { items: items.toReversed(), next }
      },
    })),
    caughtBy: [
      'redrives on record: are watched: what was asked for, by whom and why, and how far it has come',
      'redrives on record: are listed the newest first, in pages, each once',
    ],
  },
  {
    fault: 'looks from the beginning again with each portion',
    replaced: redriving((right, log) => {
      const origins: (string | undefined)[] = []
      return {
        start(filter, pace, by) {
          origins.push(filter.origin)
          return right.start(filter, pace, by)
        },
        async carry() {
          const carried = await right.carry()
          for (const origin of origins) {
            await log.deadLetters.redrive(origin === undefined ? {} : { origin }, { limit: 10 })
          }
          return carried
        },
      }
    }),
    caughtBy: ['redrives on record: take nothing that died after they began'],
  },
  {
    fault: 'says of each redrive that it took what the first one did',
    replaced: redriving((right) => {
      let first: string | undefined
      return {
        async start(filter, pace, by) {
          const id = await right.start(filter, pace, by)
          first ??= id
          return id
        },
        portions: (id, page) => right.portions(first ?? id, page),
      }
    }),
    caughtBy: ['redrives on record: that overlap, carried by two processes, take each letter once'],
  },
  {
    fault: 'cancels a redrive in its answer only',
    replaced: redriving(() => ({ cancel: async () => 'cancelled' })),
    caughtBy: [
      'redrives on record: that are cancelled leave the rest dead; what they took stays taken',
    ],
  },
  {
    fault: 'takes a start by a known name for a repetition, whatever it asks for',
    replaced: redriving((right) => {
      const started = new Map<string | undefined, string>()
      return {
        async start(filter, pace, by) {
          const id = started.get(pace.requestId) ?? (await right.start(filter, pace, by))
          if (pace.requestId !== undefined) started.set(pace.requestId, id)
          return id
        },
      }
    }),
    caughtBy: [
      'redrives on record: are not started under the name of one that takes other letters',
    ],
  },
  {
    fault: 'knows no limit, counts nothing as refused, and starts again what was started',
    replaced: redriving((right) => ({
      start: (filter, { limit: _, requestId: __, ...pace }, by) => right.start(filter, pace, by),
      async get(id) {
        const found = await right.get(id)
        return found && { ...found, refused: 0 }
      },
    })),
    caughtBy: [
      'redrives on record: stop at their limit',
      'redrives on record: count what has taken effect as refused, and do not put it back',
      'redrives on record: are started once by a start that is sent again, also at the same time',
      'redrives on record: are not started under the name of one that takes other letters',
      'redrives on record: are not started with a pace, a filter or a name that cannot be',
    ],
  },
]

/** Faults in pausing consumers. */
export const ofPausing: readonly BrokenLog[] = [
  {
    fault: 'pauses nobody',
    replaced: controlling(() => ({ pause: async () => 'paused' })),
    caughtBy: [
      'pausing consumers: a consumer is paused until it is resumed, and every process sees it',
      'pausing consumers: a second pause or resume changes nothing and says so',
      'pausing consumers: a consumer that is not known is neither paused nor resumed',
    ],
  },
  {
    fault: 'takes the slots from a paused consumer',
    replaced(log) {
      const paused = new Set<string>()
      return {
        control: {
          ...(log.control as ConsumerControl),
          async pause(consumer) {
            paused.add(consumer)
            return 'paused'
          },
        },
        lease: async (request) =>
          paused.has(request.consumer)
            ? { share: 0, relays: 0, taken: [], lost: request.holding.map(({ slot }) => slot) }
            : log.lease(request),
      }
    },
    caughtBy: ['pausing consumers: a paused consumer keeps its slots and its events'],
  },
  {
    fault: 'resumes a consumer that subscribes again',
    replaced: (log) => ({
      async subscribe(subscription) {
        await log.control?.resume(subscription.consumer)
        await log.subscribe(subscription)
      },
    }),
    caughtBy: [
      'pausing consumers: subscribing again, as a new release does, leaves a consumer paused',
    ],
  },
  {
    fault: 'remembers a pause by the name of a consumer, and takes no report',
    replaced: controlling((right) => {
      const names = new Set<string>()
      return {
        async pause(consumer, by) {
          names.add(consumer)
          return right.pause(consumer, by)
        },
        paused: async (consumers) => consumers.filter((name) => names.has(name)),
        async report() {
          throw new Error('There is no table for that.')
        },
      }
    }),
    caughtBy: [
      'pausing consumers: a consumer that is retired is forgotten with its pause',
      'pausing consumers: what a relay reports of its work is taken, also of a consumer that is not known',
    ],
  },
]

/** Faults in what is recorded of acts. */
export const ofActs: readonly BrokenLog[] = [
  {
    fault: 'keeps no trail of acts',
    replaced: () => ({ operations: { list: async () => ({ items: [], next: undefined }) } }),
    caughtBy: [
      'acts on a log: a discarded letter is recorded: who, why, and which',
      'acts on a log: a redrive is recorded with the letters that it took, and not if it took none',
      'acts on a log: the start and the cancelling of a redrive are recorded, each once',
      'acts on a log: pausing, resuming and retiring a consumer are recorded, each once',
      'acts on a log: an act that names nobody is recorded under a name that the log has for it',
    ],
  },
  {
    fault: 'leaves out an actor that it cannot record',
    replaced: (log) => ({
      deadLetters: {
        ...log.deadLetters,
        discard: (ids, note) => log.deadLetters.discard(ids, note),
        redrive: (filter, { limit }) => log.deadLetters.redrive(filter, { limit }),
      },
    }),
    caughtBy: [
      'acts on a log: a discard by an actor that cannot be recorded is refused, and nothing happens',
      'acts on a log: a redrive by an actor that cannot be recorded is refused, and nothing happens',
    ],
  },
]
