import type { Statement } from '../sql/sql-client.ts'

/**
 * Returns the tables and functions that should exist and do not, because somebody dropped them. The
 * names of what should exist are read from `texts`, the SQL of the migrations that have run.
 */
export function missingObjects(
  schema: string,
  texts: readonly string[],
): Statement<{ missing: string }> {
  const made = new Map<string, { name: string; kind: string }>()
  for (const text of texts) {
    for (const [, act, kind, name] of text.matchAll(MADE)) {
      const object = { kind: String(kind), name: String(name) }
      if (act === 'drop') made.delete(`${kind} ${name}`)
      else made.set(`${kind} ${name}`, object)
    }
  }
  return {
    name: 'missing_objects',
    text: `
      select o.kind || ' ' || o.name as missing
        from json_to_recordset($2::json) as o (kind text, name text)
        where not case o.kind
          when 'table' then exists (select from pg_class c
            where c.relnamespace = to_regnamespace($1) and c.relname = o.name)
          else exists (select from pg_proc p
            where p.pronamespace = to_regnamespace($1) and p.proname = o.name) end
        order by 1`,
    values: [schema, JSON.stringify([...made.values()])],
  }
}

/**
 * Matches at the beginning of a line only: what the body of a function creates is not part of the
 * schema.
 */
const MADE =
  /^\s*(create(?: unlogged)?|drop) (table|function)(?: if exists)? (?:"[^"]+"|\w+)\.(\w+)/gm
