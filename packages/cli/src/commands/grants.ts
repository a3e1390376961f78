import { quotedSchema } from '@oncekey/postgres/client'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import {
  grantStatements,
  type Purpose,
  privilegesOf,
  purposes,
  quotedRole,
} from '../grants/privileges.ts'

export const grantsCommand: Command = {
  path: 'grants',
  summary: 'Print the least privileges of a role, as SQL',
  details:
    'It asks no server and changes nothing: pipe it into psql, as the owner of the tables.\n' +
    'oncekey doctor --role shows which of them a role lacks.',
  server: 'none',
  options: {
    role: { value: 'role', help: 'Who is to have them; required.' },
    for: {
      value: 'purpose',
      many: true,
      choices: purposes,
      help: 'What the role does. Default: request.',
    },
    schema: { value: 'name', help: 'The schema of Oncekey. Default: oncekey.' },
  },
  examples: ['grants --role app --for request --for relay | psql "$DATABASE_URL"'],
  run: runGrants,
}

async function runGrants({ given, out }: Call): Promise<ExitCode> {
  const schema = given.text('schema') ?? 'oncekey'
  quotedSchema(schema)
  const role = given.required('role')
  const asked = given.list('for') as readonly Purpose[]
  const chosen = asked.length === 0 ? (['request'] as const) : asked
  const statements = grantStatements(schema, quotedRole(role), privilegesOf(chosen))
  if (out.isJson) await out.result({ schema, role, for: chosen, statements }, () => {})
  else await out.raw(statements.map((text) => `${text}\n`).join(''))
  return ExitCode.done
}
