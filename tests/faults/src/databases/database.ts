import type { Findings, Ledger } from '../ledger.ts'
import type { DatabaseAddress } from '../programs/server-options.ts'
import type { Random } from '../random.ts'

/** The database of all servers of the shop, its faults, and what can be read from it. */
export interface Database {
  /**
   * The ports of the database's servers. Every server of the shop reaches each of them through a
   * proxy of its own.
   */
  readonly ports: readonly number[]
  /** The address of the database through the given ports of proxies, in the order of `ports`. */
  reachedBy(ports: readonly number[]): DatabaseAddress
  /**
   * Matches the bytes of a completion: the fault that loses an answer loses the answer to these.
   */
  readonly completion: RegExp
  /** Each fault breaks the database and mends it again. */
  readonly faults: Readonly<Record<string, (random: Random, shop: Shop) => Promise<void>>>
  /** How often each order took effect. */
  effects(): Promise<Map<string, string[]>>
  /** The receipts in the events of each order. */
  events(): Promise<Map<string, string[]>>
  /** The bodies of all responses on record, if they can be read from outside. */
  records?(): Promise<Set<string>>
  /** Whether a failover may lose an answered request. */
  readonly mayLose: boolean
  /** The attempts, locks and transactions that are still there, in words. */
  leftOver(): Promise<string[]>
  /** The database's faults take long and need traffic, so orders wait until a fault is over. */
  readonly ordersWait?: boolean
  /** Resolves when the database has recovered from all faults. */
  whole(): Promise<void>
  /** The settings that the result depends on. */
  readonly settings: string
  stop(): Promise<void>
}

/** The parts of the shop that a fault of the database can use. */
export interface Shop {
  readonly urls: readonly string[]
  /** Whether an order has been charged, which means that its handler has started. */
  hasBegun(order: string): boolean
  readonly book: Pick<Ledger, 'lost'> & { readonly findings: Pick<Findings, 'ranOnReplica'> }
}

/** Adds a value to the list under a name. */
export function note(all: Map<string, string[]>, name: string, value: string): void {
  const known = all.get(name)
  if (known === undefined) all.set(name, [value])
  else known.push(value)
}
