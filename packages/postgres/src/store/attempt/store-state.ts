import type { Decision } from '@oncekey/core'
import { type ConcurrencyLimit, concurrencyLimit } from '../../sql/concurrency-limit.ts'
import { type Statements, statementsFor } from '../statements/all.ts'
import type { LeasedJson, RecordJson } from '../statements/records.ts'
import { type LateEnds, lateEnds } from './late-ends.ts'
import type { ResolvedOptions } from './options.ts'
import { type Questions, questions } from './questions.ts'
import { type RunningKeys, runningKeys } from './running-keys.ts'

/** One store in this process: its options and its tables. */
export interface StoreState<Tx> extends ResolvedOptions<Tx> {
  readonly statements: Statements
  /** Has one permit for every attempt that holds a connection or is about to. */
  readonly attempts: ConcurrencyLimit
  /** Limits how many of these permits may be spent on waiting for another process. */
  readonly waiters: ConcurrencyLimit
  readonly maxWaiters: number
  /** Limits reads in autocommit and claims of lease mode, which use the rest of the pool. */
  readonly readers: ConcurrencyLimit
  readonly running: RunningKeys<Tx>
  readonly questions: Questions<DatabaseReply<Tx>>
  /**
   * By the key's id: a promise that resolves when this process stops waiting for another process's
   * attempt.
   */
  readonly elsewhere: Map<string, Promise<void>>
  readonly lateEnds: LateEnds
}

/** What the database replied about a key. */
export type DatabaseReply<Tx> =
  | { readonly kind: 'run'; readonly decision: Decision<Tx> }
  | { readonly kind: 'finished'; readonly record: RecordJson }
  /** A store in lease mode holds the key. */
  | { readonly kind: 'leased'; readonly leased: LeasedJson }
  | { readonly kind: 'in-progress' }
  /** The key has changed since it was read: ask again. */
  | { readonly kind: 'outdated' }
  /** The claim was withdrawn before it got a permit, and the database was not asked. */
  | { readonly kind: 'withdrawn' }

export function storeState<Tx>(options: ResolvedOptions<Tx>): StoreState<Tx> {
  const { client, maxConcurrent, mode, quotedSchema } = options
  const renewing = mode === 'lease' ? 1 : 0
  const maxWaiters = Math.floor(maxConcurrent / 2)
  return {
    ...options,
    statements: statementsFor(quotedSchema),
    attempts: concurrencyLimit(maxConcurrent),
    waiters: concurrencyLimit(maxWaiters),
    maxWaiters,
    readers: concurrencyLimit(Math.max(1, client.poolSize - maxConcurrent - renewing)),
    running: runningKeys(),
    questions: questions(
      ({ kind }) => kind === 'finished',
      ({ kind }) => kind === 'in-progress',
    ),
    elsewhere: new Map(),
    lateEnds: lateEnds(options),
  }
}
