import type { PackageMigrations } from '@oncekey/postgres/client'
import type { Asked } from './asked.ts'
import { expectedObjects } from './expected-objects.ts'
import type { CheckResult } from './finding.ts'

/**
 * Reports our tables on which row level security hides rows from a login that was granted to read
 * or change them. With `--role` only that role is looked at. Other tables of the schema may be the
 * application's own, whose policies are none of our business.
 */
export async function policiesResult(
  { query, schema, quoted, call }: Asked,
  packages: readonly PackageMigrations[],
): Promise<CheckResult> {
  const texts = packages.flatMap(({ migrations }) => migrations.flatMap((each) => each(quoted)))
  const ours = [...expectedObjects(texts).tables.keys()]
  const role = call.given.text('role') ?? null
  const tables = await query<{ name: string; roles: string[] }>(HIDING, [schema, ours, role])
  return {
    well: `no policy hides a row of schema ${schema}`,
    findings: tables.map(({ name, roles }) => ({
      level: 'fault',
      what: `Row level security is on for table ${name}, and hides rows from ${list(roles)}.`,
      why: 'To whom a row is hidden, it is not there: a key that is finished runs its handler again, and a relay passes events that it never saw.',
      todo: 'Switch it off; a scope of a key is compared by Oncekey itself. Or, if it has to stay on, make a policy for all commands, using (true) with check (true), and none that is restrictive.',
      statements: [`alter table ${quoted}.${name} disable row level security;`],
    })),
  }
}

/**
 * Row level security has no effect on superusers, on BYPASSRLS, and, unless it is forced, on who
 * owns the table. Everybody else sees every row only with a permissive policy that is true for all
 * rows, and without a restrictive one that is not. Without any policy no row is seen, and no error
 * either. An INSERT is not looked at, because what a policy forbids there fails with an error.
 */
const HIDING = `
  select c.relname as name, json_agg(r.rolname order by r.rolname) as roles
    from pg_class c
    join pg_roles r
      on case when $3::text is null then r.rolcanlogin else r.rolname = $3::text end
    where c.relnamespace = (select oid from pg_namespace where nspname = $1)
      and c.relname = any ($2::text[]) and c.relrowsecurity
      and not r.rolsuper and not r.rolbypassrls
      and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'usage'))
      and exists (
        select from (values ('SELECT', 'r'), ('UPDATE', 'w'), ('DELETE', 'd')) may (what, command)
          where exists (
              select from aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) granted
                where granted.privilege_type = may.what
                  and (granted.grantee = 0 or pg_has_role(r.oid, granted.grantee, 'usage')))
            and not (
              select coalesce(bool_or(p.polpermissive and p.shows = 'true'), false)
                  and not coalesce(bool_or(not p.polpermissive and p.shows <> 'true'), false)
                from (
                  select polpermissive, pg_get_expr(polqual, polrelid) as shows
                    from pg_policy
                    where polrelid = c.oid and polcmd::text in ('*', may.command)
                      and (0 = any (polroles) or exists (
                        select from unnest(polroles) each where pg_has_role(r.oid, each, 'usage')))
                ) p))
    group by c.relname order by c.relname`

function list(roles: readonly string[]): string {
  const some = roles.slice(0, 5).join(', ')
  return `${some}${roles.length > 5 ? ` and ${roles.length - 5} more` : ''}`
}
