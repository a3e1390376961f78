import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'
import type { RecordJson } from './find-record.ts'

/** Waits for the end of another process's attempt, at most `waitMs`. */
export function waitForEndStatement(
  schema: string,
): (claim: Claim, lock: string, waitMs: number) => Statement<{ answer: string }> {
  const text = `select ${schema}.wait_for_end($1, $2, $3, $4, $5) as answer where ${schema}.takes_writes()`

  return ({ namespace, scope, key }, lock, waitMs) => ({
    name: 'wait_for_end',
    text,
    values: [lock, namespace, scope, key, waitMs],
    cancellable: true,
  })
}

/** What `answer` is, in JSON. */
export type WaitJson =
  | { readonly state: 'finished'; readonly record: RecordJson }
  /** It has ended without a record. */
  | { readonly state: 'outdated' }
  | { readonly state: 'in-progress' }
