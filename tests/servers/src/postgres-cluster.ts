import { execFile } from 'node:child_process'
import { appendFileSync, chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Identity } from './unprivileged.ts'
import { watch } from './watchdog.ts'

/** A data folder and the server on it. */
export interface Cluster {
  /** The folder above everything below; it belongs to the server's user. */
  folder: string
  dataDir: string
  binDir: string
  identity: Identity
  /** Variables of this server alone, in addition to `serverEnv`. */
  env: Readonly<Record<string, string>>
  /** A command that the server is run under. */
  under: readonly string[]
  log: string
}

/**
 * The environment of the programs. The caller's variables do not reach them, above all not
 * PGOPTIONS and LANG.
 */
export const serverEnv: NodeJS.ProcessEnv = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }

/** Runs initdb and writes the settings: ours, then the caller's. */
export async function createCluster(
  cluster: Cluster,
  password: string,
  settings: Record<string, string>,
): Promise<void> {
  const passwordFile = join(cluster.folder, 'password')
  writeFileSync(passwordFile, password)
  // Readable whatever the umask is, because initdb reads the file as another user. The folder is
  // closed to all other users.
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
    // The current folder of this process may be closed to the user that runs initdb.
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
    // Not in /dev/shm, where the memory of a killed server would remain.
    dynamic_shared_memory_type: 'mmap',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(hasStatementStatistics(binDir) && { shared_preload_libraries: 'pg_stat_statements' }),
  }
}

/** pg_stat_statements is in the builds of npm and Debian, and missing from smaller ones. */
export function hasStatementStatistics(binDir: string): boolean {
  return ['lib', 'lib/postgresql'].some((libraries) =>
    ['so', 'dylib'].some((ending) =>
      existsSync(join(binDir, '..', libraries, `pg_stat_statements.${ending}`)),
    ),
  )
}
