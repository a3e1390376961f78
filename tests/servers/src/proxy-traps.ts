/** Bytes a test looks for in what a client has sent on one connection (the last 64 KiB of it). */
export type Sent = string | Buffer | ((sent: Buffer) => boolean)

/** What becomes of a connection, once: where, and what. */
export interface Trap {
  at: 'request' | 'answer'
  does: 'drop' | 'hold'
  sprung(): void
}

export interface ProxyTraps<Connection> {
  /** From now on; what was sent before does not count. Resolves when whoever minds the trap says so. */
  set(trap: Omit<Trap, 'sprung'>, sent: Sent): Promise<void>
  /** The trap for which this chunk was the last that it waited for; it is gone with that. */
  sprungBy(connection: Connection, chunk: Buffer): Trap | undefined
}

/** Traps of one proxy: each is for the first connection on which a client sends something. */
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
