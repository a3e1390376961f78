import { migratedVersions, postgresMigrations, quotedSchema } from '@oncekey/postgres/client'
import type { QueryConfig } from 'pg'
import type { Call } from '../command/command.ts'
import { everyMigrations } from '../connection/every-migrations.ts'
import type { Asked } from './asked.ts'
import { driftResult } from './drift.ts'
import { type Checked, type CheckResult, checked } from './finding.ts'
import { grantsResult } from './grants.ts'
import { deadLettersResult, lagResult, unknownKeysResult } from './holdings.ts'
import { horizonResult } from './horizon.ts'
import { policiesResult } from './policies.ts'
import { schemaResult } from './schema.ts'
import {
  connectionsResult,
  durabilityResult,
  poolerResult,
  serverResult,
  timeoutsResult,
  writesResult,
} from './server.ts'

/** Runs all checks on a database, in the order in which a person would look. */
export async function checkPostgres(call: Call): Promise<Checked[]> {
  const { given, schema } = call
  const quoted = quotedSchema(schema)
  const asked: Asked = {
    call,
    schema,
    quoted,
    longestTransactionMs: given.durationMs('max-transaction') ?? 300_000,
    mostLag: given.whole('max-lag', 0, 10_000) ?? 9_999,
    longestLagMs: given.durationMs('max-lag-age') ?? 300_000,
    query: async (text, values = []) =>
      (
        await call
          .postgres()
          .query({ text, values: [...values], query_timeout: TIMEOUT_MS } as QueryConfig)
      ).rows,
  }
  const results: Checked[] = []
  const look = async (check: string, verdict: () => Promise<CheckResult>) => {
    const incomplete = results.some(
      ({ check, findings }) => check === 'drift' && findings.length > 0,
    )
    const result = await checked(check, verdict, { incomplete })
    results.push(result)
    return result
  }

  await look('server', () => serverResult(asked))
  await look('pooler', () => poolerResult(asked))
  await look('writes', () => writesResult(asked))
  await look('durability', () => durabilityResult(asked))
  await look('timeouts', () => timeoutsResult(asked))
  await look('connections', () => connectionsResult(asked))
  await look('horizon', () => horizonResult(asked))

  let versions: ReadonlyMap<string, number> | undefined
  const { findings, skipped } = await look('schema', async () => {
    versions = await migratedVersions(call.postgres(), { schema })
    return schemaResult(schema, versions)
  })
  // If the role may not read which migrations have run (`skipped`), the other checks run all the
  // same: it may be the application's role.
  if (versions === undefined && skipped === undefined) return results
  const there = versions ?? new Map([['postgres', postgresMigrations.migrations.length]])
  const upToDate = everyMigrations.filter(
    (tables) => there.get(tables.package) === tables.migrations.length,
  )
  if (skipped === undefined) await look('drift', () => driftResult(asked, upToDate))
  await look('policies', () => policiesResult(asked, everyMigrations))
  const role = given.text('role')
  if (role !== undefined) await look('grants', () => grantsResult(asked, role))
  // The other checks need tables and columns of this release, which a schema of another version may
  // lack.
  if (findings.length > 0 || !upToDate.includes(postgresMigrations)) return results
  await look('unknown keys', () => unknownKeysResult(asked))
  await look('lag', () => lagResult(asked))
  await look('dead letters', () => deadLettersResult(asked, new Set(there.keys())))
  return results
}

/** The limit for a server that accepts the connection and then does not reply. Milliseconds. */
const TIMEOUT_MS = 10_000
