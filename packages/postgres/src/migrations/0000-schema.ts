/** What migrations themselves need. Asked for only where it is missing: it takes CREATE rights. */
export function createSchema(schema: string): string {
  return `create schema ${schema}`
}

export function createMigrationsTable(schema: string): string {
  return `create table ${schema}.migrations (
    version integer primary key,
    applied_at timestamptz not null default now()
  )`
}
