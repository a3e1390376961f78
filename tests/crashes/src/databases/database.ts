import type { Sent } from '@oncekey/test-servers'

/** The database below, as it is seen from outside. */
export interface Database {
  readonly url: string
  readonly port: number
  /** What a process sends to claim this key, and to complete it. */
  claim(key: string): Sent
  completion(key: string): Sent
  /** What handlers have written for an order: receipt and step. */
  effects(order: string): Promise<string[]>
  /** The receipts in its events. */
  events(order: string): Promise<string[]>
  /** The body on record. */
  stored(key: string): Promise<Buffer | undefined>
  /** Of a running attempt, by the database's clock; not above 0 where it is over. Milliseconds. */
  leaseLeftMs(key: string): Promise<number | undefined>
  /** An attempt on this key; locks, transactions and connections of the dead: what is still there, in words. */
  leftOver(key: string): Promise<string[]>
  stop(): Promise<void>
}

/** Whether a client has sent all of these on one connection, in this order. */
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
