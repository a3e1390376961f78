import { sqlLiteral } from '../../sql/sql-literal.ts'

/** The comments of a table or view and of its columns, which psql shows. */
export interface TableComment {
  readonly kind?: 'view'
  readonly about: string
  readonly columns: Readonly<Record<string, string>>
}

/** The statements that write these comments. */
export function commentsOn(
  schema: string,
  tables: Readonly<Record<string, TableComment>>,
): string[] {
  return Object.entries(tables).flatMap(([table, { kind = 'table', about, columns }]) => [
    `comment on ${kind} ${schema}.${table} is ${sqlLiteral(about)}`,
    ...Object.entries(columns).map(
      ([column, text]) => `comment on column ${schema}.${table}.${column} is ${sqlLiteral(text)}`,
    ),
  ])
}
