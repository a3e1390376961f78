import type { EventLog, Position } from '@oncekey/core'
import type { Pool } from 'pg'

/**
 * Deliberately wrong relays, to see that a campaign finds them.
 *
 * - `cursor-first`: writes a cursor when events are read, before anybody has handled them
 * - `inbox-beside`: commits the effect separately from the inbox row
 * - `filter-overwritten`: the holder of a slot reads by its own list of types, and passes what only
 *   another release takes, as it did before types were on record
 * - `trusts-positions`: continues from positions of an earlier life of the server
 */
export const BROKEN_RELAYS = [
  'cursor-first',
  'inbox-beside',
  'filter-overwritten',
  'trusts-positions',
] as const
export type BrokenRelay = (typeof BROKEN_RELAYS)[number]

/** The log as a wrong relay sees it; `types` are those of its own release, by consumer. */
export function brokenLog<Tx>(
  broken: BrokenRelay | undefined,
  log: EventLog<Tx>,
  pool: Pool | undefined,
  types: ReadonlyMap<string, readonly string[] | null>,
): EventLog<Tx> {
  if (broken === 'cursor-first') return cursorFirst(log)
  if (broken === 'filter-overwritten') return filterOverwritten(log, types)
  if (broken === 'trusts-positions' && pool !== undefined) return trustsPositions(log, pool)
  return log
}

function cursorFirst<Tx>(log: EventLog<Tx>): EventLog<Tx> {
  const epochs = new Map<string, string>()
  return {
    ...log,
    async lease(request) {
      const lease = await log.lease(request)
      for (const { slot, epoch } of lease.taken) epochs.set(`${request.consumer} ${slot}`, epoch)
      return lease
    },
    async read(request) {
      const page = await log.read(request)
      const slots = page.next.flatMap(({ slot, position }) => {
        const epoch = epochs.get(`${request.consumer} ${slot}`)
        return epoch === undefined ? [] : [{ slot, epoch, position, calm: true, failed: [] }]
      })
      await log.advance({ consumer: request.consumer, slots })
      return page
    },
  }
}

function filterOverwritten<Tx>(
  log: EventLog<Tx>,
  types: ReadonlyMap<string, readonly string[] | null>,
): EventLog<Tx> {
  return {
    ...log,
    want: (request) => log.want({ ...request, types: null }),
    async read(request) {
      const page = await log.read(request)
      const own = types.get(request.consumer)
      return { ...page, events: page.events.filter(({ type }) => own?.includes(type) ?? true) }
    },
  }
}

function trustsPositions<Tx>(log: EventLog<Tx>, pool: Pool): EventLog<Tx> {
  const ofThisLife = async <Slot extends { readonly position: Position }>(
    slots: readonly Slot[],
  ): Promise<Slot[]> => {
    const { rows } = await pool.query<{ life: string }>('select oncekey.name_life() as life')
    const life = rows[0]?.life ?? ''
    const renamed = (position: string): string => life + position.slice(position.indexOf('|'))
    return slots.map((slot) => ({ ...slot, position: renamed(slot.position) }))
  }
  return {
    ...log,
    read: async (request) => log.read({ ...request, slots: await ofThisLife(request.slots) }),
    advance: async (request) => log.advance({ ...request, slots: await ofThisLife(request.slots) }),
  }
}
