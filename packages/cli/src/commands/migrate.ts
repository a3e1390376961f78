import { OptionsError } from '@oncekey/core'
import {
  type MigrationPlan,
  migratedVersions,
  migratePackage,
  type PackageMigrations,
  planMigrations,
} from '@oncekey/postgres/client'
import { CliError, usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { everyMigrations } from '../connection/every-migrations.ts'

export const migrateCommand: Command = {
  path: 'migrate',
  summary: 'Create the schema, or bring it up to this release',
  details:
    'The tables of webhooks and sagas are brought up where they are there; --with creates them. It\n' +
    'changes nothing that is up to date, and processes of the release before go on working beside it.',
  server: 'postgres',
  options: {
    'dry-run': { help: 'Say what would be done and end with 1 if that is anything.' },
    plan: { help: 'Print the SQL instead of running it.' },
    with: {
      value: 'package',
      many: true,
      choices: ['webhooks', 'saga'],
      help: 'Create the tables of this package as well.',
    },
  },
  examples: ['migrate --dry-run', 'migrate --with webhooks --with saga'],
  run: runMigrate,
}

async function runMigrate(call: Call): Promise<ExitCode> {
  const { given, out, schema } = call
  if (given.flag('dry-run') && given.flag('plan')) {
    throw usageError('--dry-run and --plan are two things: write one of them.')
  }
  const wanted = await wantedPackages(call)
  const plans = await planMigrations(call.postgres(), wanted, { schema })
  if (given.flag('plan')) {
    await printPlan(call, plans)
    return ExitCode.done
  }
  const isDry = given.flag('dry-run')
  if (!isDry) {
    for (const tables of wanted) {
      await migratePackage(call.postgres(), tables, { schema }).catch((error) => {
        // The server replied, and is not suitable because of its version or the encoding of the
        // database.
        throw error instanceof OptionsError ? new CliError(ExitCode.found, error.message) : error
      })
    }
  }
  const pending = plans.filter(({ from, to }) => from < to)
  const rest = everyMigrations.filter((each) => !wanted.includes(each))
  await out.result(
    {
      schema,
      dryRun: isDry,
      packages: plans.map(({ package: name, from, to }) => ({ package: name, from, to })),
    },
    (page) => {
      for (const { package: name, from, to } of plans) {
        if (from === to) page.line`${name}: version ${to}, up to date`
        else if (isDry) page.line`${name}: would go from version ${from} to ${to}`
        else page.line`${name}: went from version ${from} to ${to}`
      }
      for (const { package: name } of rest)
        page.line`${name}: not there (--with ${name} creates it)`
      if (isDry && pending.length > 0) page.line`Nothing was changed. --plan prints the SQL.`
    },
  )
  return isDry && pending.length > 0 ? ExitCode.found : ExitCode.done
}

/**
 * The packages to migrate: the store, the packages whose tables exist already, and those that were
 * named.
 */
async function wantedPackages({ given, postgres, schema }: Call): Promise<PackageMigrations[]> {
  const versions = await migratedVersions(postgres(), { schema })
  const asked = new Set(['postgres', ...given.list('with')])
  return everyMigrations.filter(
    (tables) => asked.has(tables.package) || versions?.has(tables.package),
  )
}

async function printPlan({ out, schema }: Call, plans: readonly MigrationPlan[]): Promise<void> {
  if (out.isJson) {
    await out.result({ schema, packages: plans }, () => {})
    return
  }
  const parts = plans.map(({ package: name, from, to, statements }) =>
    from === to
      ? `-- ${name}: version ${to}, up to date\n`
      : `-- ${name}: from version ${from} to ${to}\n${statements.map((text) => `${trimmed(text)};\n`).join('')}`,
  )
  await out.raw(parts.join('\n'))
}

/**
 * Removes the indentation that a migration has in its source. The body of a function keeps its own.
 */
const trimmed = (text: string): string => text.trim()
