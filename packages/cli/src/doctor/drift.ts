import type { PackageMigrations } from '@oncekey/postgres/client'
import type { Asked } from './asked.ts'
import { type ExpectedObjects, expectedObjects } from './expected-objects.ts'
import type { CheckResult } from './finding.ts'

/**
 * Checks whether the schema is as its migrations leave it, for each package all of whose migrations
 * have run. Other objects in the schema are ignored.
 */
export async function driftResult(
  { query, schema, quoted }: Asked,
  packages: readonly PackageMigrations[],
): Promise<CheckResult> {
  const texts = packages.flatMap(({ migrations }) => migrations.flatMap((each) => each(quoted)))
  const expected = expectedObjects(texts)
  const there = await catalogOf(query, schema)
  const findings = [
    ...missingTables(expected, there, schema),
    ...wrongTables(expected, there, quoted),
    ...wrongFunctions(expected, there, schema),
    ...wrongIndexes(expected, there, quoted),
    ...wrongTriggers(expected, there, quoted),
  ]
  return {
    well: 'every table, index, function and trigger is as the migrations leave it',
    findings,
  }
}

type Findings = CheckResult['findings']

function missingTables({ tables }: ExpectedObjects, there: Catalog, schema: string): Findings {
  const missing = [...tables.keys()].filter((name) => !there.tables.has(name))
  if (missing.length === 0) return []
  return [
    {
      level: 'fault',
      what: `${list(missing)} of schema ${schema} ${missing.length === 1 ? 'is' : 'are'} gone: dropped by somebody.`,
      why: 'Whatever was in there is lost, and what uses it fails.',
      todo: 'Restore it from a backup. Or drop the schema, which forgets every key and event, and run oncekey migrate.',
    },
  ]
}

function wrongTables(expected: ExpectedObjects, there: Catalog, quoted: string): Findings {
  return [...expected.tables].flatMap(([name, { columns, constraints, isUnlogged }]): Findings => {
    const table = there.tables.get(name)
    if (table === undefined) return []
    const lostColumns = [...columns].filter(([column]) => !table.columns.has(column))
    const lostConstraints = [...constraints].filter(([each]) => !table.constraints.has(each))
    return [
      ...lostColumns.map(([column, text]) => ({
        level: 'fault' as const,
        what: `Column ${column} of table ${name} is gone.`,
        why: 'Statements that name it fail, and what it held is lost.',
        todo: 'Add it again; what it held has to come from a backup.',
        statements: [`alter table ${quoted}.${name} add column ${text};`],
      })),
      ...lostConstraints.map(([constraint, text]) => ({
        level: 'fault' as const,
        what: `Constraint ${constraint} of table ${name} is gone.`,
        why: 'It is what keeps two of the same out: a key may run twice, an event be taken in twice.',
        todo: 'Add it again. If that fails, there are duplicates already: look at them first.',
        statements: [
          `alter table ${quoted}.${name} add ${text.startsWith('constraint') ? text : `constraint ${constraint} ${text}`};`,
        ],
      })),
      ...(table.persistence === 'u' && !isUnlogged
        ? [
            {
              level: 'fault' as const,
              what: `Table ${name} was set UNLOGGED.`,
              why: 'A crash of the server empties it, and a standby does not have it.',
              todo: 'Set it LOGGED: that writes the whole table to the WAL once, and locks it meanwhile.',
              statements: [`alter table ${quoted}.${name} set logged;`],
            },
          ]
        : []),
    ]
  })
}

function wrongFunctions({ functions }: ExpectedObjects, there: Catalog, schema: string): Findings {
  return [...functions].flatMap(([name, { body, statement }]): Findings => {
    const bodies = there.functions.get(name)
    if (bodies?.includes(body)) return []
    const isGone = bodies === undefined
    return [
      {
        level: 'fault',
        what: isGone
          ? `Function ${schema}.${name} is gone.`
          : `Function ${schema}.${name} has another body than the migrations gave it.`,
        why: isGone
          ? 'Whatever calls it fails.'
          : 'It does something else than this release has been tested with.',
        todo: 'Make it anew.',
        statements: [statement],
      },
    ]
  })
}

function wrongIndexes({ indexes }: ExpectedObjects, there: Catalog, quoted: string): Findings {
  return [...indexes].flatMap(([name, statement]): Findings => {
    const isValid = there.indexes.get(name)
    if (isValid === true) return []
    if (isValid === false) {
      return [
        {
          level: 'fault',
          what: `Index ${name} is invalid: whoever was building it was interrupted.`,
          why: 'It costs every write and helps no read.',
          todo: 'Build it again.',
          statements: [`reindex index ${quoted}.${name};`],
        },
      ]
    }
    return [
      {
        level: 'fault',
        what: `Index ${name} is gone.`,
        why: 'What looks through it reads the whole table instead, and holds everybody up as that grows.',
        todo: 'Build it again; writes to the table wait meanwhile, unless you write CREATE INDEX CONCURRENTLY.',
        statements: [statement],
      },
    ]
  })
}

function wrongTriggers({ triggers }: ExpectedObjects, there: Catalog, quoted: string): Findings {
  return [...triggers].flatMap(([name, { table, statement }]): Findings => {
    const enabled = there.triggers.get(name)
    if (enabled !== undefined && enabled !== 'D') return []
    return [
      {
        level: 'fault',
        what: `Trigger ${name} on table ${table} is ${enabled === undefined ? 'gone' : 'disabled'}.`,
        why: 'What it refuses is possible now.',
        todo: enabled === undefined ? 'Make it anew.' : 'Enable it.',
        statements: [
          enabled === undefined
            ? statement
            : `alter table ${quoted}.${table} enable trigger ${name};`,
        ],
      },
    ]
  })
}

interface Catalog {
  readonly tables: ReadonlyMap<
    string,
    {
      readonly persistence: string
      readonly columns: ReadonlySet<string>
      readonly constraints: ReadonlySet<string>
    }
  >
  readonly functions: ReadonlyMap<string, readonly string[]>
  readonly indexes: ReadonlyMap<string, boolean>
  readonly triggers: ReadonlyMap<string, string>
}

async function catalogOf(query: Asked['query'], schema: string): Promise<Catalog> {
  const [row] = await query<{
    tables: string
    functions: string
    indexes: string
    triggers: string
  }>(CATALOG, [schema])
  const tables: { name: string; persistence: string; columns: string[]; constraints: string[] }[] =
    JSON.parse(row?.tables ?? '[]')
  const functions: { name: string; bodies: string[] }[] = JSON.parse(row?.functions ?? '[]')
  const indexes: { name: string; valid: boolean }[] = JSON.parse(row?.indexes ?? '[]')
  const triggers: { name: string; enabled: string }[] = JSON.parse(row?.triggers ?? '[]')
  return {
    tables: new Map(
      tables.map(({ name, persistence, columns, constraints }) => [
        name,
        { persistence, columns: new Set(columns), constraints: new Set(constraints) },
      ]),
    ),
    functions: new Map(functions.map(({ name, bodies }) => [name, bodies])),
    indexes: new Map(indexes.map(({ name, valid }) => [name, valid])),
    triggers: new Map(triggers.map(({ name, enabled }) => [name, enabled])),
  }
}

const CATALOG = `
  with ours as (select oid from pg_namespace where nspname = $1)
  select
    (select json_agg(json_build_object('name', c.relname, 'persistence', c.relpersistence,
        'columns', (select coalesce(json_agg(a.attname), '[]') from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
        'constraints', (select coalesce(json_agg(n.conname), '[]') from pg_constraint n
          where n.conrelid = c.oid)))
      from pg_class c where c.relnamespace = (select oid from ours) and c.relkind in ('r', 'p'))::text
      as tables,
    (select json_agg(json_build_object('name', f.proname, 'bodies', f.bodies)) from (
      select p.proname, json_agg(p.prosrc) as bodies from pg_proc p
        where p.pronamespace = (select oid from ours) group by p.proname) f)::text as functions,
    (select json_agg(json_build_object('name', c.relname, 'valid', i.indisvalid))
      from pg_class c join pg_index i on i.indexrelid = c.oid
      where c.relnamespace = (select oid from ours))::text as indexes,
    (select json_agg(json_build_object('name', t.tgname, 'enabled', t.tgenabled))
      from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = (select oid from ours) and not t.tgisinternal)::text as triggers`

function list(names: readonly string[]): string {
  return `Table${names.length === 1 ? '' : 's'} ${names.join(', ')}`
}
