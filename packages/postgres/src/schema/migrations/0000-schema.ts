/** What migrations themselves need. Asked for only where it is missing: it takes CREATE rights. */
export function createSchema(schema: string): string {
  return `create schema ${schema}`
}

export function createMigrationsTable(schema: string): string {
  return `create table ${schema}.migrations (
    package text not null,
    version integer not null,
    applied_at timestamptz not null default now(),
    primary key (package, version)
  )`
}
