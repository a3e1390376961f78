import { randomUUID } from 'node:crypto'
import type { EventLog, Position } from '@oncekey/core'

/**
 * Takes all slots, reads to the end, moves the cursors and leaves. Returns the ids of the events
 * that there were.
 */
export async function readAll<Tx>(log: EventLog<Tx>, consumer: string): Promise<string[]> {
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const relay = randomUUID()
  const held = await log.lease({ consumer, relay, leaseMs: 60_000, holding: [] })
  let slots: readonly { slot: number; position: Position }[] = held.taken
  const ids: string[] = []
  for (let more = true; more; ) {
    const page = await log.read({ consumer, types: null, slots, limit: 100 })
    ids.push(...page.events.map(({ id }) => id))
    slots = page.next
    more = page.more
  }
  await log.advance({
    consumer,
    slots: held.taken.map(({ slot, epoch, position }) => ({
      slot,
      epoch,
      position: slots.find((each) => each.slot === slot)?.position ?? position,
      calm: false,
      failed: [],
    })),
  })
  await log.release({ consumer, relay, slots: held.taken, leaving: true })
  return ids
}
