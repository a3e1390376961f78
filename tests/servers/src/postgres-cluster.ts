import { execFile } from 'node:child_process'
import { appendFileSync, chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Identity } from './unprivileged.ts'
import { watch } from './watchdog.ts'

/** A data folder and what runs on it. */
export interface Cluster {
  /** Of the user the server runs as; holds everything below. */
  folder: string
  dataDir: string
  binDir: string
  identity: Identity
  /** Of the server alone, beside `serverEnv`. */
  env: Readonly<Record<string, string>>
  log: string
}

/** No variable of the caller's reaches the programs, PGOPTIONS and LANG least of all. */
export const serverEnv: NodeJS.ProcessEnv = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }

/** Runs initdb and writes the settings: ours, then the caller's. */
export async function createCluster(
  cluster: Cluster,
  password: string,
  settings: Record<string, string>,
): Promise<void> {
  const passwordFile = join(cluster.folder, 'password')
  writeFileSync(passwordFile, password)
  // Whatever the umask: initdb reads it as another user, and the folder keeps all others out.
  chmodSync(passwordFile, 0o644)
  await initdb(cluster, ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`])
  rmSync(passwordFile)
  const lines = Object.entries({ ...settingsFor(cluster.binDir), ...settings })
  appendFileSync(
    join(cluster.dataDir, 'postgresql.conf'),
    lines.map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`).join(''),
  )
}

async function initdb(
  { folder, dataDir, binDir, identity }: Cluster,
  args: string[],
): Promise<void> {
  const running = promisify(execFile)(
    join(binDir, 'initdb'),
    ['-D', dataDir, '--encoding=UTF8', '--locale=C', '--no-sync', ...args],
    // The folder this process is in may be closed to the user initdb runs as.
    { ...identity, cwd: folder, env: serverEnv },
  )
  const { pid } = running.child
  const unwatch = pid ? watch({ process: { pid, signal: 'SIGKILL' } }) : () => {}
  await running.finally(unwatch)
}

function settingsFor(binDir: string): Record<string, string> {
  return {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    fsync: 'off',
    full_page_writes: 'off',
    // Not below /dev/shm, where a killed server's memory would stay behind.
    dynamic_shared_memory_type: 'mmap',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(hasStatementStatistics(binDir) && { shared_preload_libraries: 'pg_stat_statements' }),
  }
}

/** pg_stat_statements is part of npm's build and of Debian's, and is missing from smaller ones. */
export function hasStatementStatistics(binDir: string): boolean {
  return ['lib', 'lib/postgresql'].some((libraries) =>
    ['so', 'dylib'].some((ending) =>
      existsSync(join(binDir, '..', libraries, `pg_stat_statements.${ending}`)),
    ),
  )
}
