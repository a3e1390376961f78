import {
  type EventLog,
  type HeldSlot,
  type LeaseRequest,
  type MemoryTransaction,
  OncekeyError,
} from '@oncekey/core'

type Log = EventLog<MemoryTransaction>

/** The memory log, which has one life by itself, with as many lives as a test begins. */
export interface LivingLog {
  readonly log: Log
  begin(): void
  /** Returns a position or an epoch as if the current life had handed it out. */
  ofNow(text: string): string
}

/** What a later life hands out begins with the number of that life: `2/17`. */
export function withLives(log: Log): LivingLog {
  let life = 0
  /** The last request of each relay, with what it holds. */
  const asked = new Map<string, LeaseRequest & { readonly life: number }>()

  const bare = (text: string): string => text.slice(text.indexOf('/') + 1)
  const ofNow = (text: string): string => (life === 0 ? bare(text) : `${life}/${bare(text)}`)
  const isOfNow = (text: string): boolean => ofNow(text) === text
  const held = <Slot extends HeldSlot>(slots: readonly Slot[]): Slot[] =>
    slots.map((slot) => ({ ...slot, epoch: isOfNow(slot.epoch) ? bare(slot.epoch) : '-1' }))

  return {
    ofNow,
    begin() {
      life += 1
    },
    log: {
      ...log,

      async lease(request) {
        const { consumer, relay } = request
        for (const [name, other] of asked) {
          if (other.consumer !== consumer || other.relay === relay || other.life === life) continue
          // Renews what the relay has, and takes nothing.
          await log.lease({ ...other, holding: held(other.holding.map(moved)), waiting: true })
          asked.set(name, { ...other, life })
        }
        const lease = await log.lease({ ...request, holding: held(request.holding) })
        const taken = lease.taken.map((slot) => ({
          ...slot,
          epoch: ofNow(slot.epoch),
          position: ofNow(slot.position),
        }))
        const kept = request.holding.filter(({ slot }) => !lease.lost.includes(slot))
        asked.set(`${consumer} ${relay}`, { ...request, holding: [...kept, ...taken], life })
        return { ...lease, taken }
      },

      async release(request) {
        const name = `${request.consumer} ${request.relay}`
        const before = asked.get(name)
        const gone = new Set(request.slots.map(({ slot }) => slot))
        if (request.leaving) asked.delete(name)
        else if (before !== undefined) {
          asked.set(name, { ...before, holding: before.holding.filter((s) => !gone.has(s.slot)) })
        }
        await log.release({ ...request, slots: held(request.slots) })
      },

      async read(request) {
        if (!request.slots.every(({ position }) => isOfNow(position))) throw restored()
        const slots = request.slots.map((each) => ({ ...each, position: bare(each.position) }))
        const page = await log.read({ ...request, slots })
        const next = page.next.map((each) => ({ ...each, position: ofNow(each.position) }))
        return { ...page, next }
      },

      advance: (move) =>
        log.advance({
          ...move,
          slots: held(move.slots).map((each) => ({ ...each, position: bare(each.position) })),
        }),

      suspect: (request) => log.suspect({ ...request, slot: held([request.slot])[0] as HeldSlot }),
      takeDue: (request) => log.takeDue({ ...request, slots: held(request.slots) }),
      settle: (request) => log.settle({ ...request, slots: held(request.slots) }),

      async takeIn(request) {
        if (request.slots?.every(({ epoch }) => isOfNow(epoch)) === false) throw restored()
        return await log.takeIn(request)
      },
    },
  }

  function moved(slot: HeldSlot): HeldSlot {
    return { ...slot, epoch: ofNow(slot.epoch) }
  }
}

function restored(): OncekeyError {
  return new OncekeyError('log-restored', 'This is of an earlier life of the log.')
}
