import type { Findings, Ledger } from '../ledger.ts'
import type { DatabaseAddress } from '../programs/server-options.ts'
import type { Random } from '../random.ts'

/** The server below all of them, what can be done to it, and what can be read from it. */
export interface Database {
  /** The ports of its servers. Each has a proxy, on the way of every server of the shop. */
  readonly ports: readonly number[]
  /** Its address through the given ports, which lead to those servers in the same order. */
  reachedBy(ports: readonly number[]): DatabaseAddress
  /** The bytes with which a client has something stored: the answer to these is worth losing. */
  readonly completion: RegExp
  /** Each breaks it and mends it again. */
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
  /** Its faults take long and need traffic, so orders wait for them. */
  readonly ordersWait?: boolean
  /** Resolves when it has recovered from all faults. */
  whole(): Promise<void>
  /** The settings that the result depends on. */
  readonly settings: string
  stop(): Promise<void>
}

/** What a fault of the database can see of the rest. */
export interface Shop {
  readonly urls: readonly string[]
  /** Whether an order has been charged, which means that its handler has started. */
  hasBegun(order: string): boolean
  readonly book: Pick<Ledger, 'lost'> & { readonly findings: Pick<Findings, 'ranOnReplica'> }
}

/** Adds to the entry of a name. */
export function note(all: Map<string, string[]>, name: string, value: string): void {
  const known = all.get(name)
  if (known === undefined) all.set(name, [value])
  else known.push(value)
}
