import type { Statement } from '../../sql-client.ts'

/** The server's life, named if it has no name yet. */
export function presentLife(schema: string): Statement<{ life: string }> {
  return { name: 'present_life', text: `select ${schema}.name_life() as life`, values: [] }
}
