import type { Item } from './item.ts'

/** Items in the order in which they were added. */
export interface ItemQueue {
  add(items: readonly Item[]): void
  size(): number
  /** The next item, left in place. */
  peek(): Item | undefined
  /** Removes the next item. There must be one. */
  take(): Item
  clear(): void
}

/**
 * Makes a queue of an array and the index of its first item. Taking an item moves no other, until
 * the array is sliced.
 */
export function itemQueue(): ItemQueue {
  let items: (Item | undefined)[] = []
  let head = 0

  return {
    add(more) {
      for (const item of more) items.push(item)
    },
    size: () => items.length - head,
    peek: () => items[head],
    take() {
      const item = items[head] as Item
      // Drops the reference to the event before the array is sliced, so that its memory can be
      // freed.
      items[head] = undefined
      head += 1
      if (head > 1_000 && head * 2 > items.length) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    clear() {
      items = []
      head = 0
    },
  }
}
