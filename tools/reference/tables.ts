import { PGlite } from '@electric-sql/pglite'
import { everyMigrations } from '../../packages/cli/src/connection/every-migrations.ts'
import { migrate } from '../../packages/postgres/src/index.ts'
import { fromPglite } from '../../packages/postgres/src/pglite.ts'
import { wrapProse } from '../wrap-prose.ts'
import { code, head, table } from './table.ts'

interface Column {
  readonly relation: string
  readonly kind: 'r' | 'v' | 'p'
  readonly about: string | null
  readonly name: string
  readonly type: string
  readonly isNullable: boolean
  readonly text: string | null
}

/** Every table and view as the migrations leave it, with its comments. */
export async function renderTables(): Promise<string> {
  const db = await PGlite.create()
  try {
    await migrate(fromPglite(db), { also: everyMigrations })
    const { rows } = await db.query<Column>(COLUMNS)
    const section = (kinds: string) =>
      [
        ...new Set(rows.filter(({ kind }) => kinds.includes(kind)).map(({ relation }) => relation)),
      ].flatMap((name) =>
        relation(
          name,
          rows.filter((row) => row.relation === name),
        ),
      )
    return `${[
      head(
        'Tables and views',
        wrapProse(
          'What the migrations make in the schema `oncekey`. The views are for people: they are kept ' +
            'as they are. The tables are for the packages, and change with them.',
        ),
      ),
      '## Views',
      ...section('v'),
      '## Tables',
      ...section('rp'),
    ].join('\n\n')}\n`
  } finally {
    await db.close()
  }
}

function relation(name: string, columns: readonly Column[]): string[] {
  return [
    `### ${name}`,
    wrapProse(columns[0]?.about ?? ''),
    table(
      ['column', 'type', ''],
      columns.map((column) => [
        code(column.name),
        `${code(column.type)}${column.isNullable || column.kind === 'v' ? '' : ', not null'}`,
        (column.text ?? '').replaceAll('<', '&lt;'),
      ]),
    ),
  ]
}

/** Partitions have the columns of their table. */
const COLUMNS = `
  select c.relname as relation, c.relkind as kind, obj_description(c.oid, 'pg_class') as about,
    a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as "isNullable",
    col_description(c.oid, a.attnum) as text
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where n.nspname = 'oncekey' and c.relkind in ('r', 'p', 'v') and not c.relispartition
  order by c.relname, a.attnum`
