import type { Statement } from '../../sql-client.ts'

/** Empties a partition if everybody has passed it; `dropped` is null if not, or if it is in use. */
export function dropPassed(schema: string, part: number): Statement<{ dropped: string | null }> {
  return {
    name: 'drop_passed',
    text: `select ${schema}.drop_passed($1::integer) as dropped`,
    values: [part],
  }
}
