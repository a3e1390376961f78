import type { Pool } from 'pg'

/**
 * Describes everything in a schema, one line for each object, with the schema's name replaced by
 * `schema`.
 */
export async function schemaShape(pool: Pool, schema: string): Promise<string[]> {
  const { rows } = await pool.query<{ line: string }>(SHAPE, [schema])
  return rows.map(({ line }) => line.replaceAll(schema, 'schema')).toSorted()
}

/** The versions that were migrated in it; none if there is no such schema. */
export async function versionsIn(pool: Pool, schema: string): Promise<number[]> {
  const { rows } = await pool.query('select to_regclass($1)', [`${schema}.migrations`])
  if (rows[0]?.to_regclass == null) return []
  const ran = await pool.query<{ version: number }>(
    `select version from ${schema}.migrations where package = 'postgres' order by version`,
  )
  return ran.rows.map(({ version }) => version)
}

const SHAPE = `
  with named as (select oid from pg_namespace where nspname = $1)
  select concat_ws(' ', 'relation', c.relname, c.relkind, c.reloptions::text,
      pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid)) as line
    from pg_class c where c.relnamespace = (select oid from named)
  union all
  select concat_ws(' ', 'column', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
      a.attcollation::regcollation, a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid))
    from pg_attribute a join pg_class c on c.oid = a.attrelid
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.relnamespace = (select oid from named) and a.attnum > 0
  union all
  select 'index ' || indexdef from pg_indexes where schemaname = $1
  union all
  select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where connamespace = (select oid from named)
  union all
  select 'function ' || pg_get_functiondef(oid) from pg_proc
    where pronamespace = (select oid from named)`
