import type { KeyName } from '@oncekey/core'
import type { Statement } from './sql-client.ts'

/** Sets the time of a key's attempt right that a clock put back has moved away. */
export function restartLease(schema: string): (key: KeyName) => Statement<{ restarted: string }> {
  const text = `select ${schema}.restart_lease($1, $2, $3)::text as restarted`

  return ({ namespace, scope, key }) => ({
    name: 'restart_lease',
    text,
    values: [namespace, scope, key],
  })
}
