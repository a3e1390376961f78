import { grantStatements, type Purpose, privilegesOf, quotedRole } from '../grants/privileges.ts'
import type { Asked } from './asked.ts'
import type { CheckResult } from './finding.ts'

/** Reports the privileges that a role lacks for its purpose. */
export async function grantsResult(
  { query, schema, call }: Asked,
  role: string,
): Promise<CheckResult> {
  const asked = call.given.list('for') as readonly Purpose[]
  const purposes = asked.length === 0 ? (['request'] as const) : asked
  const well = `role ${role} may do what is needed for: ${purposes.join(', ')}`
  const [found] = await query<{ usage: boolean }>(
    `select has_schema_privilege(rolname, $2::text, 'usage') as usage from pg_roles where rolname = $1`,
    [role, schema],
  )
  if (found === undefined) {
    return {
      well,
      findings: [
        {
          level: 'fault',
          what: `There is no role ${role}.`,
          why: 'Nobody can log in as it.',
          todo: 'Create it, or name the right one in --role.',
        },
      ],
    }
  }
  const pairs = privilegesOf(purposes)
  const missing = await query<{ table: string; privilege: string }>(
    `select g."table", g.privilege from json_to_recordset($2::json) as g ("table" text, privilege text)
        where to_regclass(format('%I.%I', $3::text, g."table")) is not null
          and not has_table_privilege($1, format('%I.%I', $3::text, g."table"), g.privilege)`,
    [role, JSON.stringify(pairs), schema],
  )
  const statements = [
    ...(found.usage ? [] : [`grant usage on schema ${schema} to ${quotedRole(role)};`]),
    ...grantStatements(schema, quotedRole(role), missing),
  ]
  if (statements.length === 0) return { well, findings: [] }
  const lacks = [
    ...(found.usage ? [] : [`usage on schema ${schema}`]),
    ...missing.map(({ table, privilege }) => `${privilege} on ${table}`),
  ]
  return {
    well,
    findings: [
      {
        level: 'fault',
        what: `Role ${role} lacks ${lacks.length} of the privileges it needs for ${purposes.join(', ')}: ${lacks.slice(0, 5).join(', ')}${lacks.length > 5 ? ', and so on' : ''}.`,
        why: 'What it does fails with "permission denied".',
        todo: 'Grant them, as the owner of the tables.',
        statements,
      },
    ],
  }
}
