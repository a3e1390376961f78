import type { Statement } from '../../sql-client.ts'

/** Sets all cursors right in a database that was restored; says how many, 0 if that was done. */
export function rebaseCursors(schema: string): Statement<{ rebased: string }> {
  return { name: 'rebase', text: `select ${schema}.rebase_2() as rebased`, values: [] }
}
