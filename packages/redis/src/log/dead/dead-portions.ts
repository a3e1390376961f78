import { allSlots } from '../keys/slot-keys.ts'

/** Groups ids by slot. Leaves out texts that cannot be ids. */
export function slotsOf(ids: readonly string[]): { slot: number; numbers: string[] }[] {
  const bySlot = new Map<number, string[]>()
  for (const id of new Set(ids)) {
    const [, slot, number] = /^(\d{1,2})-([1-9]\d{0,14})$/.exec(id) ?? []
    if (slot === undefined || number === undefined || !allSlots.includes(Number(slot))) continue
    bySlot.set(Number(slot), [...(bySlot.get(Number(slot)) ?? []), number])
  }
  return [...bySlot].map(([slot, numbers]) => ({ slot, numbers }))
}

/**
 * Splits items so that one script handles a bounded number of deliveries and then lets the server
 * serve others.
 */
export function inPortions<Item extends { readonly numbers: readonly (string | number)[] }>(
  items: readonly Item[],
): Item[][] {
  const portions: Item[][] = []
  let room = 0
  for (const item of items) {
    for (let at = 0; at < item.numbers.length; ) {
      if (room === 0) {
        portions.push([])
        room = AT_ONCE
      }
      const numbers = item.numbers.slice(at, at + room)
      portions.at(-1)?.push({ ...item, numbers })
      at += numbers.length
      room -= numbers.length
    }
  }
  return portions
}

/** Groups letters by slot and consumer, because one script puts back the letters of one group. */
export function byConsumerInSlot(
  letters: readonly { readonly slot: number; readonly number: number; readonly consumer: string }[],
): { slot: number; consumer: string; numbers: number[] }[] {
  const groups = new Map<string, { slot: number; consumer: string; numbers: number[] }>()
  for (const { slot, number, consumer } of letters) {
    const name = `${slot} ${consumer}`
    const group = groups.get(name) ?? { slot, consumer, numbers: [] }
    group.numbers.push(number)
    groups.set(name, group)
  }
  return [...groups.values()]
}

/**
 * How many deliveries one script handles: 256 take some 10 ms of the server's time, 6,400 took 300
 * ms.
 */
export const AT_ONCE = 256
