import type { Claim } from '@oncekey/core'
import type { Statement } from '../../sql-client.ts'

/** The record of a key, in a snapshot of its own. */
export function findRecordStatement(
  schema: string,
): (claim: Claim) => Statement<{ record: string | null }> {
  const text = `select ${schema}.find_record($1, $2, $3) as record`

  return ({ namespace, scope, key }) => ({
    name: 'find_record',
    text,
    values: [namespace, scope, key],
  })
}

/** What `record` is, in JSON. */
export interface RecordJson {
  readonly fingerprint: string
  readonly status: number
  /** JSON again. */
  readonly headers: string | null
  /** In hexadecimal; null when it is not, or no longer, kept. */
  readonly body: string | null
  readonly seal: string | null
}
