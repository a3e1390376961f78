import type { Asked } from './asked.ts'
import type { CheckResult } from './finding.ts'

/**
 * Reports tables on which row level security may hide rows: it is on, they have policies, and none
 * of these shows every row. Without any policy a login gets an error instead, because it may not
 * write either.
 */
export async function policiesResult({ query, schema, quoted }: Asked): Promise<CheckResult> {
  const tables = await query<{ name: string }>(
    `select c.relname as name from pg_class c
      where c.relnamespace = to_regnamespace($1) and c.relkind in ('r', 'p') and c.relrowsecurity
        and exists (select from pg_policy p where p.polrelid = c.oid)
        and not exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive
          and p.polcmd in ('*', 'r') and pg_get_expr(p.polqual, p.polrelid) = 'true')
      order by c.relname`,
    [quoted],
  )
  return {
    well: `no policy hides a row of schema ${schema}`,
    findings: tables.map(({ name }) => ({
      level: 'fault',
      what: `Row level security is on for table ${name}, and no policy of it shows every row.`,
      why: 'To whom a row is hidden, it is not there: a key that is finished runs its handler again, and a relay passes events that it never saw.',
      todo: 'Switch it off; a scope of a key is compared by Oncekey itself. Or, if it has to stay on, make a policy for all commands, using (true) with check (true).',
      statements: [`alter table ${quoted}.${name} disable row level security;`],
    })),
  }
}
