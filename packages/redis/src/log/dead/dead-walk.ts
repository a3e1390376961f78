import type { DeadLetterFilter } from '@oncekey/core'
import { allSlots } from '../keys/slot-keys.ts'
import { type KeptDelivery, pageDeadScript } from '../scripts/dead/page-dead.ts'
import type { LogState } from '../state/log-state.ts'
import { type DeadOne, deadOne, type Place, spanOf, startOf } from './dead-place.ts'
import { AT_ONCE } from './dead-portions.ts'

/**
 * Yields all letters of the times that the filter names, the oldest first. The slots are read in
 * portions and merged.
 */
export async function* walked(
  log: LogState,
  filter: DeadLetterFilter,
  after: Place | undefined,
): AsyncGenerator<DeadOne> {
  const isRetired = filter.retired === true
  const { from, until } = spanOf(filter)
  const queues = allSlots.map((slot) => ({
    slot,
    from: startOf(slot, after, from),
    letters: [] as KeptDelivery[],
    next: 0,
    head: Number.POSITIVE_INFINITY,
    isOver: false,
  }))
  for (;;) {
    const empty = queues.filter(({ head, isOver }) => head === Number.POSITIVE_INFINITY && !isOver)
    // From many slots only a few letters each are read, because the script blocks the server
    // meanwhile.
    const most = Math.max(1, Math.floor(AT_ONCE / empty.length))
    const pages = await log.askSlots(pageDeadScript, empty, (slots) => ({
      slots,
      isRetired,
      most,
      until,
    }))
    for (const { slot, letters } of pages.flat()) {
      const queue = queues[slot] as (typeof queues)[number]
      queue.letters = [...letters]
      queue.next = 0
      queue.head = headOf(queue)
      queue.isOver = letters.length < most
      queue.from = `(${letters.at(-1)?.diedAtUs ?? '0'}`
    }
    // Stops when the letters read from a slot are used up and the slot may have more: the next
    // letter of all could be among them.
    for (;;) {
      let oldest: (typeof queues)[number] | undefined
      for (const queue of queues) {
        if (queue.head < (oldest?.head ?? Number.POSITIVE_INFINITY)) oldest = queue
      }
      if (oldest === undefined) return
      yield deadOne(oldest.slot, oldest.letters[oldest.next] as KeptDelivery)
      oldest.next += 1
      oldest.head = headOf(oldest)
      if (oldest.head === Number.POSITIVE_INFINITY && !oldest.isOver) break
    }
  }
}

function headOf(queue: {
  readonly letters: readonly KeptDelivery[]
  readonly next: number
}): number {
  const head = queue.letters[queue.next]
  return head === undefined ? Number.POSITIVE_INFINITY : Number(head.diedAtUs)
}
