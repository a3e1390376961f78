import { existsSync, readFileSync } from 'node:fs'
import type { Broken } from '../../../faults/src/programs/broken-store.ts'

export const ADAPTERS = ['express', 'fastify', 'fetch', 'hono'] as const
export type Adapter = (typeof ADAPTERS)[number]

export const STORES = ['postgres', 'postgres-lease', 'redis'] as const
export type StoreName = (typeof STORES)[number]

/** The options of a server's process, as JSON in its first argument. */
export interface ServerOptions {
  /** The adapters that requests use; loading each takes time. */
  readonly adapters: readonly Adapter[]
  readonly store: StoreName
  readonly broken?: Broken
  /** The address by which the store reaches the database. */
  readonly databaseUrl: string
  /** Where handlers without a transaction write. */
  readonly outsideUrl: string
  /** Whether requests stop at the point that their key names. */
  readonly stops: boolean
}

/** The body of a request. */
export interface OrderRequest {
  readonly order: string
  /** Its answer is larger than what the kernel buffers for a client that does not read. */
  readonly large: boolean
  /** The handler of the request uses no transaction, and writes outside of any. */
  readonly outside: boolean
}

/** The paths for orders, by what a retry does if the first attempt ended without an outcome. */
export type Serving = Readonly<Record<Adapter, { readonly retake: string; readonly hold: string }>>

/** How long a dead process blocks its keys in lease mode. Milliseconds. */
export const LEASE_MS = 1_500

/**
 * Longer than any test, so that a key that becomes free during a test does so for another reason
 * than this time. Milliseconds.
 */
export const NEVER_MS = 300_000

/**
 * The size of a large response: more than what the kernel buffers for a client that does not read.
 */
export function largeBytes(): number {
  const limits = '/proc/sys/net/ipv4/tcp_wmem'
  const most = existsSync(limits) ? Number(readFileSync(limits, 'utf8').split(/\s+/)[2]) : 4 * MIB
  return most + MIB
}

const MIB = 1024 * 1024
