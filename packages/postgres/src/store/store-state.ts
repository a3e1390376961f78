import type { Decision } from '@oncekey/core'
import type { ResolvedOptions } from './options.ts'
import { type Places, places } from './places.ts'
import { type Questions, questions } from './questions.ts'
import { type RunningKeys, runningKeys } from './running-keys.ts'
import { type Statements, statementsFor } from './statements/all.ts'
import type { LeasedJson, RecordJson } from './statements/find-record.ts'

/** One store: its options, and what it knows in this process. */
export interface StoreState<Tx> extends ResolvedOptions<Tx> {
  readonly statements: Statements
  /** For those who hold a connection, or are about to. */
  readonly attempts: Places
  /** Of these, for those who only wait for another process. */
  readonly waiters: Places
  readonly maxWaiters: number
  /** For reads in autocommit, and for claims of lease mode, from the rest of the pool. */
  readonly readers: Places
  readonly running: RunningKeys<Tx>
  readonly questions: Questions<Answer<Tx>>
  /** By key: settles when this process has stopped waiting for another process's attempt. */
  readonly elsewhere: Map<string, Promise<void>>
}

/** What the database said of a key. */
export type Answer<Tx> =
  | { readonly kind: 'run'; readonly decision: Decision<Tx> }
  | { readonly kind: 'finished'; readonly record: RecordJson }
  /** A store in lease mode has it. */
  | { readonly kind: 'leased'; readonly leased: LeasedJson }
  | { readonly kind: 'in-progress' }
  /** It has changed since: ask again. */
  | { readonly kind: 'outdated' }
  /** It was not asked: the claim was withdrawn before its turn came. */
  | { readonly kind: 'withdrawn' }

export function storeState<Tx>(options: ResolvedOptions<Tx>): StoreState<Tx> {
  const { client, maxConcurrent, mode, quotedSchema } = options
  const renewing = mode === 'lease' ? 1 : 0
  const maxWaiters = Math.floor(maxConcurrent / 2)
  return {
    ...options,
    statements: statementsFor(quotedSchema),
    attempts: places(maxConcurrent),
    waiters: places(maxWaiters),
    maxWaiters,
    readers: places(Math.max(1, client.poolSize - maxConcurrent - renewing)),
    running: runningKeys(),
    questions: questions(
      ({ kind }) => kind === 'finished',
      ({ kind }) => kind === 'in-progress',
    ),
    elsewhere: new Map(),
  }
}
