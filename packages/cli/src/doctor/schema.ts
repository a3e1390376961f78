import { everyMigrations } from '../connection/every-migrations.ts'
import type { CheckResult } from './finding.ts'

/** Compares the migrations that have run with those that this release knows. */
export function schemaResult(
  schema: string,
  versions: ReadonlyMap<string, number> | undefined,
): CheckResult {
  if (versions === undefined || !versions.has('postgres')) {
    return {
      well: '',
      findings: [
        {
          level: 'fault',
          what: `There is no schema ${schema} of Oncekey in this database.`,
          why: 'Every request fails with store-not-migrated, which your error handler gets, normally a 500.',
          todo: 'Run oncekey migrate, or name the right database and --schema.',
        },
      ],
    }
  }
  const known = everyMigrations.flatMap(({ package: name, migrations }) => {
    const there = versions.get(name)
    return there === undefined ? [] : [{ name, there, ours: migrations.length }]
  })
  const findings = known.flatMap(({ name, there, ours }): CheckResult['findings'] => {
    if (there < ours) {
      return [
        {
          level: 'fault',
          what: `The tables of ${name} are at version ${there}, and this release is at ${ours}.`,
          why: 'Processes of this release fail with store-not-migrated.',
          todo: 'Run oncekey migrate; --plan shows the SQL. Processes of the release before go on working.',
        },
      ]
    }
    if (there > ours) {
      return [
        {
          level: 'warning',
          what: `The tables of ${name} are at version ${there}, and this oncekey knows only ${ours}.`,
          why: 'What this release says about them may be wrong.',
          todo: 'Use the oncekey of the release that is deployed: npx oncekey@latest.',
        },
      ]
    }
    return []
  })
  const shown = known.map(({ name, there }) => `${name} ${there}`).join(', ')
  return { well: `schema ${schema} is up to date (${shown})`, findings }
}
