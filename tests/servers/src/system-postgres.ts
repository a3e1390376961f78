import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type PostgresServer, startPostgres } from './postgres.ts'

/** The folder of this system's own `initdb` and `postgres`, of the newest version. */
export function findSystemPostgres(): string | undefined {
  return [...versionsBelow('/usr/lib/postgresql'), ...configured()].find(hasServer)
}

let started: Promise<PostgresServer> | undefined

/**
 * The url of a server of the system's own Postgres. It is started at the first call and ends with
 * this process. `undefined` if the system has none; the test is then skipped.
 */
export async function systemPostgresUrl(): Promise<string | undefined> {
  const binDir = findSystemPostgres()
  if (binDir === undefined) return undefined
  started ??= startPostgres({ binDir })
  return (await started).url
}

/** Debian keeps its versions side by side. */
function versionsBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  const newestFirst = readdirSync(folder).sort((a, b) => Number(b) - Number(a))
  return newestFirst.map((version) => join(folder, version, 'bin'))
}

function configured(): string[] {
  try {
    return [execFileSync('pg_config', ['--bindir'], { encoding: 'utf8', stdio: 'pipe' }).trim()]
  } catch {
    return []
  }
}

function hasServer(folder: string): boolean {
  return ['initdb', 'postgres'].every((program) => existsSync(join(folder, program)))
}
