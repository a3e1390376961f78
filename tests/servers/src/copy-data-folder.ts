import { chownSync } from 'node:fs'
import { copyFile, mkdir, readdir, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onServer } from './database.ts'
import type { PostgresServer } from './postgres.ts'
import type { Cluster } from './postgres-cluster.ts'

/**
 * Copies the data of a running server as pg_basebackup does. That program itself is missing from
 * the Postgres of npm. The copy can be started as a standby, or by recovery.
 */
export async function copyDataFolder(from: PostgresServer, to: Cluster): Promise<void> {
  await onServer(from.url, async (client) => {
    await client.query(`SELECT pg_backup_start('copy', fast => true)`)
    await copyFolder(from.dataDir, to.dataDir, to)
    const { rows } = await client.query<{ labelfile: string; spcmapfile: string }>(
      'SELECT labelfile, spcmapfile FROM pg_backup_stop(wait_for_archive => false)',
    )
    await writeOwned(join(to.dataDir, 'backup_label'), rows[0]?.labelfile ?? '', to)
  })
}

/** Writes a file that belongs to the server's user. */
export async function writeOwned(path: string, text: string, { identity }: Cluster): Promise<void> {
  await writeFile(path, text, { mode: 0o600 })
  own(path, identity)
}

async function copyFolder(from: string, to: string, cluster: Cluster, at = ''): Promise<void> {
  await mkdir(join(to, at), { mode: 0o700 })
  own(join(to, at), cluster.identity)
  for (const entry of await readdir(join(from, at), { withFileTypes: true })) {
    const path = join(at, entry.name)
    if (LEFT_OUT.test(path)) continue
    if (entry.isDirectory()) {
      await copyFolder(from, to, cluster, path)
      continue
    }
    const target = join(to, path)
    try {
      if (entry.isSymbolicLink()) await symlink(await readlink(join(from, path)), target)
      else await copyFile(join(from, path), target)
    } catch (error) {
      // The server keeps running and may remove files. Their removal is in the WAL as well, so they
      // may be missing from the copy.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      throw error
    }
    if (entry.isFile()) own(target, cluster.identity)
  }
}

function own(path: string, { uid, gid }: Cluster['identity']): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid)
}

/**
 * Files that only concern the original server, and the WAL, which a standby gets over its
 * connection.
 */
const LEFT_OUT =
  /^(?:postmaster\.(?:pid|opts)|pg_wal\/.*|pg_replslot\/.*|pg_dynshmem\/.*|pg_stat_tmp\/.*|pg_notify\/.*|pg_serial\/.*|pg_snapshots\/.*|pg_subtrans\/.*)$|pg_internal\.init/
