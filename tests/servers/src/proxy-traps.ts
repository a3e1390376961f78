/**
 * The bytes that a test looks for in what a client sends on one connection (the last 64 KiB of it).
 */
export type Sent = string | Buffer | ((sent: Buffer) => boolean)

/** A one-time action on a connection: where it applies, and what it does. */
export interface Trap {
  at: 'request' | 'answer'
  does: 'drop' | 'hold' | 'delay' | 'strand'
  /** For how long it delays. */
  ms?: number
  /** Receives what delivers the bytes of a stranded request. */
  stranded?(deliver: () => Promise<void>): void
  sprung(): void
}

export interface ProxyTraps<Connection> {
  /**
   * Sets a trap for bytes sent from now on. Resolves when the owner of the trap reports that it is
   * done.
   */
  set(trap: Omit<Trap, 'sprung'>, sent: Sent): Promise<void>
  /** The trap that this chunk completes, which is removed. */
  sprungBy(connection: Connection, chunk: Buffer): Trap | undefined
}

/**
 * The traps of one proxy. Each applies to the first connection on which a client sends its bytes.
 */
export function proxyTraps<Connection extends object>(): ProxyTraps<Connection> {
  const traps = new Map<Trap, (sent: Buffer) => boolean>()
  let seen = new WeakMap<Connection, Buffer>()

  return {
    set(trap, sent) {
      seen = new WeakMap()
      const matches = typeof sent === 'function' ? sent : (bytes: Buffer) => bytes.includes(sent)
      return new Promise((sprung) => {
        traps.set({ ...trap, sprung }, matches)
      })
    },

    sprungBy(connection, chunk) {
      if (traps.size === 0) return undefined
      const before = seen.get(connection) ?? Buffer.alloc(0)
      const sent = Buffer.concat([before, chunk]).subarray(-SENT_KEPT)
      seen.set(connection, sent)
      for (const [trap, matches] of traps) {
        if (!matches(sent)) continue
        traps.delete(trap)
        return trap
      }
      return undefined
    },
  }
}

const SENT_KEPT = 64 * 1024
