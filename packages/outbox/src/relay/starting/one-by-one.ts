import type { Ticket } from './start-gate.ts'

/**
 * Starts items one after the other, each when the one before it has ended and `ticket` lets it
 * start. Calls `over` when all have ended, or when the ticket is dropped; what was not started then
 * stays as it is. Items of a slot that was lost are left out.
 */
export function oneByOne<Item extends { readonly slot: { readonly lost: boolean } }>(
  items: readonly Item[],
  ticket: Ticket,
  start: (item: Item, ended: () => void) => void,
  over: () => void,
): void {
  const rest = [...items]
  let isDue = false
  let isStarting = false

  function next(): void {
    isDue = true
    // The item of a synchronous consumer ends inside start(), which calls next() again. The loop
    // below then takes the next item: thousands of calls within one another overflow the stack.
    if (isStarting) return
    isStarting = true
    try {
      while (isDue) {
        isDue = false
        while (rest[0]?.slot.lost) rest.shift()
        if (rest.length === 0 || ticket.isDropped()) over()
        else if (ticket.mayStart()) start(rest.shift() as Item, next)
        else ticket.wait().then(next)
      }
    } finally {
      isStarting = false
    }
  }
  next()
}
