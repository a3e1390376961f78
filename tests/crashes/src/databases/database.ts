import type { Sent } from '@oncekey/test-servers'

/** The database below the servers, as seen from outside. */
export interface Database {
  readonly url: string
  readonly port: number
  /** The bytes that a process sends to claim this key and to complete it. */
  claim(key: string): Sent
  completion(key: string): Sent
  /** What handlers have written for an order: receipt and step. */
  effects(order: string): Promise<string[]>
  /** The receipts in an order's events. */
  events(order: string): Promise<string[]>
  /** The response body on record. */
  stored(key: string): Promise<Buffer | undefined>
  /**
   * How long the lease of a running attempt still lasts, by the database's clock; 0 or less if it
   * is over. Milliseconds.
   */
  leaseLeftMs(key: string): Promise<number | undefined>
  /**
   * Describes what dead processes have left: attempts on this key, locks, transactions and
   * connections.
   */
  leftOver(key: string): Promise<string[]>
  stop(): Promise<void>
}

/** Returns a test for whether a client has sent all of `parts` on one connection, in this order. */
export function all(...parts: readonly string[]): (sent: Buffer) => boolean {
  return (sent) => {
    let at = 0
    for (const part of parts) {
      at = sent.indexOf(part, at)
      if (at === -1) return false
      at += part.length
    }
    return true
  }
}
