import type { Statement } from '../sql-client.ts'

/** What is there of a schema; text, or null where it is missing. */
export function schemaState(schema: string): Statement<SchemaState> {
  return {
    name: 'schema_state',
    text: `
      select to_regnamespace($1::text)::text as schema,
             to_regclass($1::text || '.migrations')::text as migrations`,
    values: [schema],
  }
}

export interface SchemaState {
  schema: string | null
  migrations: string | null
}
