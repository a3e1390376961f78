import type { Statement } from '../sql-client.ts'

export function recordMigration(schema: string, version: number): Statement {
  return {
    name: 'record_migration',
    text: `insert into ${schema}.migrations (version) values ($1::integer)`,
    values: [version],
  }
}
