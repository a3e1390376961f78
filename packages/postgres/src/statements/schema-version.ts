import type { Statement } from '../sql-client.ts'

/** The newest migration that ran in a schema. */
export function schemaVersion(schema: string): Statement<{ version: string }> {
  return {
    name: 'schema_version',
    text: `select coalesce(max(version), 0)::text as version from ${schema}.migrations`,
    values: [],
  }
}
