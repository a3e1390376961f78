import type { Statement } from '../sql-client.ts'

export function recordMigration(schema: string, name: string, version: number): Statement {
  return {
    name: 'record_migration',
    text: `insert into ${schema}.migrations (package, version) values ($1, $2::integer)`,
    values: [name, version],
  }
}
