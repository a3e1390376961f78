import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyDataFolder, writeOwned } from './copy-data-folder.ts'
import { onServer } from './database.ts'
import { type PostgresServer, startOn } from './postgres.ts'
import { startProxy } from './tcp-proxy.ts'
import { waitFor } from './wait-for.ts'

/**
 * A physical standby: it reads, refuses writes with 25006, and follows its primary until it is
 * promoted.
 *
 * It can lag in two ways. `cutOff()` keeps the WAL from arriving: a promotion loses what was
 * committed meanwhile. `pauseReplay()` keeps received WAL from being applied: a promotion applies
 * it first, and loses nothing.
 */
export interface PostgresStandby extends PostgresServer {
  /**
   * From this call on no WAL arrives: both ends of the stream are reset, and new streams are
   * refused.
   */
  cutOff(): void
  /** Lets WAL arrive again; see `caughtUp`. */
  reconnect(): Promise<void>
  /** Received WAL is written and, under synchronous replication, acknowledged, but not applied. */
  pauseReplay(): Promise<void>
  resumeReplay(): Promise<void>
  /** Resolves once everything that the primary has committed by now is visible here. */
  caughtUp(): Promise<void>
  /**
   * Promotes it to a primary with its own timeline; resolves once it accepts writes. The old
   * primary continues as before: `crash()` it first, or have two.
   */
  promote(): Promise<void>
}

export interface StandbyOptions {
  /**
   * Lines of postgresql.conf in addition to those of the primary, such as
   * `recovery_min_apply_delay`.
   */
  settings?: Record<string, string>
}

/**
 * Copies a running server and starts the copy as its standby; resolves once the two are connected.
 *
 * @example
 * const primary = await startPostgres()
 * const standby = await startStandby(primary)
 * await replicateSynchronously(primary, true)
 * standby.cutOff()         // COMMIT waits from here on: pg_stat_activity.wait_event is 'SyncRep'
 * await primary.crash()
 * await standby.promote()
 */
export async function startStandby(
  primary: PostgresServer,
  { settings = {} }: StandbyOptions = {},
): Promise<PostgresStandby> {
  const wire = await startProxy(primary.port)
  const { password } = new URL(primary.url)
  const slot = `standby_${wire.port}`
  try {
    // The primary keeps the WAL that the standby misses.
    await run(primary.url, `SELECT pg_create_physical_replication_slot('${slot}', true)`)
    const server = await startOn(primary.options, password, async (cluster) => {
      await copyDataFolder(primary, cluster)
      await writeOwned(join(cluster.dataDir, 'standby.signal'), '', cluster)
      const lines = Object.entries({
        primary_conninfo: `host=127.0.0.1 port=${wire.port} user=postgres password=${password} application_name=standby`,
        primary_slot_name: slot,
        // How soon a standby tries to reconnect; the default is five seconds.
        wal_retrieve_retry_interval: '50ms',
        ...settings,
      }).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
      await appendFile(join(cluster.dataDir, 'postgresql.conf'), lines.join(''))
    })
    const standby = standbyOf(server)
    await standby.caughtUp()
    return standby
  } catch (error) {
    await wire.stop()
    throw error
  }

  function standbyOf(server: PostgresServer): PostgresStandby {
    return {
      ...server,
      cutOff() {
        wire.refuse()
        wire.cut()
      },
      reconnect: () => wire.accept(),
      pauseReplay: () => run(server.url, 'SELECT pg_wal_replay_pause()'),
      resumeReplay: () => run(server.url, 'SELECT pg_wal_replay_resume()'),
      async caughtUp() {
        const position = await flushedPosition(primary.url)
        await waitFor(() => run(server.url, `SELECT pg_last_wal_replay_lsn() >= '${position}'`), {
          what: `the standby to have seen ${position}`,
          timeoutMs: 60_000,
        })
      },
      async promote() {
        await run(server.url, 'SELECT pg_promote(wait => true)')
        await waitFor(() => run(server.url, 'SELECT NOT pg_is_in_recovery()'), {
          what: 'the standby to be a primary',
          timeoutMs: 60_000,
        })
      },
      async stop() {
        await server.stop()
        await wire.stop()
      },
    }
  }
}

/**
 * Sets whether COMMIT on the primary waits for a standby. If this is switched on while all standbys
 * are cut off, COMMIT waits until one is back. When it is switched off, waiting commits continue.
 */
export async function replicateSynchronously(
  primary: PostgresServer,
  isSynchronous: boolean,
): Promise<void> {
  const names = isSynchronous ? '*' : ''
  await onServer(primary.url, async (client) => {
    await client.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`)
    await client.query('SELECT pg_reload_conf()')
  })
  await waitFor(async () => (await run(primary.url, `SHOW synchronous_standby_names`)) === names, {
    what: 'the primary to have read its settings',
  })
  // The checkpointer tells other processes of the setting, and reads its settings before a
  // checkpoint; so ask for one.
  await run(primary.url, 'CHECKPOINT')
}

/**
 * Makes a commit and returns its position. The position of an idle server may lie behind the header
 * of a page without records, which no standby ever reaches.
 */
async function flushedPosition(url: string): Promise<string> {
  return await onServer(url, async (client) => {
    await client.query('SET synchronous_commit = local')
    await client.query(`SELECT pg_logical_emit_message(true, 'oncekey-test', '')`)
    const { rows } = await client.query('SELECT pg_current_wal_flush_lsn()::text AS position')
    return rows[0].position
  })
}

async function run<Value>(url: string, text: string): Promise<Value> {
  return await onServer(url, async (client) => {
    const { rows } = await client.query({ text, rowMode: 'array' })
    return rows[0]?.[0]
  })
}
