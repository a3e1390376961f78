/**
 * Creates the schema and the table of migrations. It runs only if the schema is missing, because it
 * needs the CREATE right.
 */
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
