import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** What is known of a key, in a snapshot of its own. */
export function findRecordStatement(
  schema: string,
): (claim: Claim) => Statement<{ answer: string | null }> {
  const text = `select ${schema}.find_record($1, $2, $3) as answer where ${schema}.takes_writes()`

  return ({ namespace, scope, key }) => ({
    name: 'find_record',
    text,
    values: [namespace, scope, key],
    cancellable: true,
  })
}

/** What `answer` is, in JSON; null where nothing is known of the key. */
export type FoundJson = FinishedJson | LeasedJson

export interface FinishedJson {
  readonly state: 'finished'
  readonly record: RecordJson
}

/** The key was claimed by a store in lease mode. */
export interface LeasedJson {
  readonly state: 'leased'
  readonly fingerprint: string
  readonly number: number
  /** Its lease is over, and how it ended is not known. */
  readonly lapsed: boolean
  /** When the lease was, or will be, over: milliseconds since 1970. */
  readonly since: number
}

export interface RecordJson {
  readonly fingerprint: string
  readonly status: number
  /** JSON again. */
  readonly headers: string | null
  /** In hexadecimal; null when it is not, or no longer, kept. */
  readonly body: string | null
  readonly seal: string | null
}
