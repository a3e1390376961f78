import {
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { OncekeyError } from '@oncekey/core'

/** The members of a PGlite database that can be used before it is ready. */
interface Database {
  readonly closed: boolean
  readonly dataDir?: string | undefined
}

/**
 * Locks the data folder of an embedded database for this process, with a file beside it that names
 * the process. Databases in memory or in a browser have no folder and are not locked.
 *
 * As with PostgreSQL's postmaster.pid, the lock of a dead process is taken over. The lock is
 * released when the process exits. A second database on the folder in this process is refused too,
 * until the first is closed.
 */
export function lockDataFolder(database: Database): void {
  const folder = folderOf(database.dataDir)
  if (folder === undefined) return
  const path = lockPath(folder)
  const mine = held.get(path)
  if (mine === database) return
  if (mine !== undefined && !mine.closed) throw locked(folder, path, process.pid)
  if (mine === undefined) writeLock(folder, path)
  if (held.size === 0) process.once('exit', removeLocks)
  held.set(path, database)
}

const held = new Map<string, Database>()

function writeLock(folder: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  while (!isCreated(path)) {
    const owner = ownerOf(path)
    if (isOther(owner)) throw locked(folder, path, owner)
    setAside(path)
  }
}

function isCreated(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid}\n`, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return false
  }
}

/**
 * Removes a stale lock. If another process has renewed the lock since it was read, puts it back.
 */
function setAside(path: string): void {
  const aside = `${path}.${process.pid}`
  try {
    renameSync(path, aside)
    if (isOther(ownerOf(aside))) linkSync(aside, path)
    rmSync(aside)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error
  }
}

function removeLocks(): void {
  for (const path of held.keys()) {
    if (ownerOf(path) === process.pid) rmSync(path, { force: true })
  }
}

function ownerOf(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10)
  } catch {
    return Number.NaN
  }
}

/**
 * Whether the pid is another process's. A lock with our own pid was left by an earlier process,
 * because pids start over in each container.
 */
function isOther(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: a process of another user exists.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * The folder of a `dataDir`, by PGlite's rules: undefined if it has a scheme other than file://.
 */
function folderOf(dataDir: string | undefined): string | undefined {
  if (dataDir === undefined || dataDir === '') return undefined
  if (dataDir.startsWith('file://')) return resolve(dataDir.slice('file://'.length))
  return /^(?:memory|idb|opfs-ahp|memfs2opfs):\/\//.test(dataDir) ? undefined : resolve(dataDir)
}

// The lock file is beside the folder, not in it, because PGlite initialises only an empty folder.
// The path is the real one, so that two links to one folder share a lock.
function lockPath(folder: string): string {
  try {
    return `${realpathSync(folder)}.oncekey.lock`
  } catch {
    // Without this comment, Turbopack would deploy every file of the app that this path might name.
    return `${join(/* turbopackIgnore: true */ realParent(folder), basename(folder))}.oncekey.lock`
  }
}

function realParent(folder: string): string {
  try {
    return realpathSync(dirname(folder))
  } catch {
    return dirname(folder)
  }
}

function locked(folder: string, path: string, pid: number): OncekeyError {
  return new OncekeyError(
    'store-unavailable',
    `The data folder ${folder} is in use by process ${pid}, and two at once would corrupt it. ` +
      'Run PostgreSQL itself to share a database between processes. ' +
      `If that process is something else by now, delete ${path}.`,
  )
}
