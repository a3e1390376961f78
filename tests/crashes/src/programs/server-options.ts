import { existsSync, readFileSync } from 'node:fs'
import type { Broken } from '../../../faults/src/programs/broken-store.ts'

export const ADAPTERS = ['express', 'fastify', 'fetch', 'hono'] as const
export type Adapter = (typeof ADAPTERS)[number]

export const STORES = ['postgres', 'postgres-lease', 'redis'] as const
export type StoreName = (typeof STORES)[number]

/** What a server's process is started with, as JSON in its first argument. */
export interface ServerOptions {
  /** Those that requests will come through: each takes its time to load. */
  readonly adapters: readonly Adapter[]
  readonly store: StoreName
  readonly broken?: Broken
  /** As the store reaches it. */
  readonly databaseUrl: string
  /** Where handlers write that have no transaction. */
  readonly outsideUrl: string
  /** Whether requests stop at the point that their key names. */
  readonly stops: boolean
}

/** The body of a request. */
export interface OrderRequest {
  readonly order: string
  /** Its answer is larger than the kernel takes for a client that does not read. */
  readonly large: boolean
  /** Its handler asks for no transaction, and writes beside it. */
  readonly outside: boolean
}

/** Where it serves orders, by what a retry does whose first attempt ended without saying how. */
export type Serving = Readonly<Record<Adapter, { readonly retake: string; readonly hold: string }>>

/** How long a dead process blocks its keys in lease mode. Milliseconds. */
export const LEASE_MS = 1_500

/** Longer than any test: what a test sees come free in time does so for another reason. Milliseconds. */
export const NEVER_MS = 300_000

/** What a large response has: more than the kernel takes for a client that does not read. */
export function largeBytes(): number {
  const limits = '/proc/sys/net/ipv4/tcp_wmem'
  const most = existsSync(limits) ? Number(readFileSync(limits, 'utf8').split(/\s+/)[2]) : 4 * MIB
  return most + MIB
}

const MIB = 1024 * 1024
