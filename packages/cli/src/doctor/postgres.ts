import { migratedVersions, postgresMigrations, quotedSchema } from '@oncekey/postgres/client'
import type { QueryConfig } from 'pg'
import type { Call } from '../command/command.ts'
import { everyMigrations } from '../connection/every-migrations.ts'
import type { Asked } from './asked.ts'
import { driftVerdict } from './drift.ts'
import { type Checked, checked, type Verdict } from './finding.ts'
import { grantsVerdict } from './grants.ts'
import { deadLettersVerdict, lagVerdict, unknownKeysVerdict } from './holdings.ts'
import { horizonVerdict } from './horizon.ts'
import { schemaVerdict } from './schema.ts'
import {
  connectionsVerdict,
  durabilityVerdict,
  poolerVerdict,
  serverVerdict,
  timeoutsVerdict,
  writesVerdict,
} from './server.ts'

/** Everything there is to say about a database, in the order in which one would look. */
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
  const look = async (check: string, verdict: () => Promise<Verdict>) => {
    const incomplete = results.some(
      ({ check, findings }) => check === 'drift' && findings.length > 0,
    )
    const result = await checked(check, verdict, { incomplete })
    results.push(result)
    return result
  }

  await look('server', () => serverVerdict(asked))
  await look('pooler', () => poolerVerdict(asked))
  await look('writes', () => writesVerdict(asked))
  await look('durability', () => durabilityVerdict(asked))
  await look('timeouts', () => timeoutsVerdict(asked))
  await look('connections', () => connectionsVerdict(asked))
  await look('horizon', () => horizonVerdict(asked))

  let versions: ReadonlyMap<string, number> | undefined
  const { findings, skipped } = await look('schema', async () => {
    versions = await migratedVersions(call.postgres(), { schema })
    return schemaVerdict(schema, versions)
  })
  // The application's role may not read which migrations have run, and still look at the rest.
  if (versions === undefined && skipped === undefined) return results
  const there = versions ?? new Map([['postgres', postgresMigrations.migrations.length]])
  const upToDate = everyMigrations.filter(
    (tables) => there.get(tables.package) === tables.migrations.length,
  )
  if (skipped === undefined) await look('drift', () => driftVerdict(asked, upToDate))
  const role = given.text('role')
  if (role !== undefined) await look('grants', () => grantsVerdict(asked, role))
  // What is older or newer may not have what the packages of this release ask for.
  if (findings.length > 0 || !upToDate.includes(postgresMigrations)) return results
  await look('unknown keys', () => unknownKeysVerdict(asked))
  await look('lag', () => lagVerdict(asked))
  await look('dead letters', () => deadLettersVerdict(asked, new Set(there.keys())))
  return results
}

/** Of a server that took the connection and then says nothing more. */
const TIMEOUT_MS = 10_000
