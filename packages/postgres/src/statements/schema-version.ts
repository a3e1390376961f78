import type { Statement } from '../sql-client.ts'

/** The newest migration of a package that ran in a schema. */
export function schemaVersion(schema: string, name: string): Statement<{ version: string }> {
  return {
    name: 'schema_version',
    text: `select coalesce(max(version), 0)::text as version from ${schema}.migrations
      where package = $1`,
    values: [name],
  }
}
