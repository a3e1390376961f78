/**
 * Whether items that a runner has already taken up may start: those of a failed batch, one after
 * the other, and suspects, which wait for their turn. They wait while the consumer is paused or the
 * lease is over, and are dropped when the relay stops.
 */
export interface StartGate {
  ticket(): Ticket
  /** Lets those that wait look again, because something may have changed. */
  look(): void
  /** Drops all tickets that were given out. */
  drop(): void
}

export interface Ticket {
  mayStart(): boolean
  isDropped(): boolean
  /** Resolves once an item may start, or once the ticket is dropped. */
  wait(): Promise<void>
}

export function startGate(isOpen: () => boolean): StartGate {
  let drops = 0
  let waiting: (() => void)[] = []

  function look(): void {
    const resolves = waiting
    waiting = []
    for (const resolve of resolves) resolve()
  }

  return {
    ticket() {
      const mine = drops
      return {
        mayStart: () => mine === drops && isOpen(),
        isDropped: () => mine !== drops,
        async wait() {
          while (mine === drops && !isOpen()) {
            await new Promise<void>((resolve) => {
              waiting.push(resolve)
            })
          }
        },
      }
    },
    look() {
      if (waiting.length > 0 && isOpen()) look()
    },
    drop() {
      drops += 1
      look()
    },
  }
}
