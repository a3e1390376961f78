import type { Statement } from '../../sql-client.ts'

/**
 * Empties a partition if everybody has passed it; `dropped` is null if not, if it is in use, or if
 * nobody can say, because rows and cursors have numbers of another server.
 */
export function dropPassed(schema: string, part: number): Statement<{ dropped: string | null }> {
  return {
    name: 'drop_passed',
    text: `
      select case when ${schema}.numbers_are_ours() then ${schema}.drop_passed($1::integer) end
          as dropped`,
    values: [part],
  }
}
