import type { Findings, Ledger } from '../ledger.ts'
import type { DatabaseAddress } from '../programs/server-options.ts'
import type { Random } from '../random.ts'

/** The server below all of them, and what can be done to it and read from it. */
export interface Database {
  /** Of its servers; there is a proxy before each, on the way of every server of the shop. */
  readonly ports: readonly number[]
  /** How it is reached by ports that lead to those, in the same order. */
  reachedBy(ports: readonly number[]): DatabaseAddress
  /** What a client sends when it wants something to be kept: its answer is the one to lose. */
  readonly completion: RegExp
  /** Each breaks it and mends it again. */
  readonly faults: Readonly<Record<string, (random: Random, shop: Shop) => Promise<void>>>
  /** By order: how often it took effect. */
  effects(): Promise<Map<string, string[]>>
  /** By order: the receipts of its events. */
  events(): Promise<Map<string, string[]>>
  /** Bodies of all responses on record, where they can be read from outside. */
  records?(): Promise<Set<string>>
  /** Whether a failover may lose what was answered. */
  readonly mayLose: boolean
  /** Attempts, locks and transactions that are still there, in words. */
  leftOver(): Promise<string[]>
  /** Its faults take long, and are of no use to a shop where nobody orders: orders wait for them. */
  readonly ordersWait?: boolean
  /** Resolves when it has got over all faults. */
  whole(): Promise<void>
  /** Settings that matter to what was proven. */
  readonly settings: string
  stop(): Promise<void>
}

/** What a fault of the database can see of the rest. */
export interface Shop {
  readonly urls: readonly string[]
  /** Whether an order has been charged: its handler has begun. */
  hasBegun(order: string): boolean
  readonly book: Pick<Ledger, 'lost'> & { readonly findings: Pick<Findings, 'ranOnReplica'> }
}

/** Adds to what is known of a name. */
export function note(all: Map<string, string[]>, name: string, value: string): void {
  const known = all.get(name)
  if (known === undefined) all.set(name, [value])
  else known.push(value)
}
