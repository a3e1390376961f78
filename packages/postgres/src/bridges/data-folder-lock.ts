import {
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { callLater, OncekeyError, warnOfFailure } from '@oncekey/core'

/** The members of a PGlite database that can be used before it is ready. */
interface Database {
  readonly closed: boolean
  readonly dataDir?: string | undefined
}

/**
 * Locks the data folder of an embedded database for this process, with a file beside it that names
 * the process and its host. Databases in memory or in a browser have no folder and are not locked.
 *
 * As with PostgreSQL's postmaster.pid, the lock of a dead process is taken over. The lock is
 * released when the process exits. A second database on the folder in this process is refused too,
 * until the first is closed.
 *
 * A process of another host cannot be seen, and a container is a host of its own: it has its own
 * host name, and numbers its processes from 1. So the owner touches the file every few seconds, and
 * another host's lock is taken over only once it was not touched for longer.
 */
export function lockDataFolder(database: Database): void {
  const folder = folderOf(database.dataDir)
  if (folder === undefined) return
  const path = lockPath(folder)
  const mine = held.get(path)
  if (mine === database) return
  if (mine !== undefined && !mine.closed) throw locked(folder, path, self())
  if (mine === undefined) writeLock(folder, path)
  if (held.size === 0) {
    process.once('exit', removeLocks)
    touchLater()
  }
  held.set(path, database)
}

const held = new Map<string, Database>()

interface Owner {
  readonly pid: number
  /** Missing in a lock of an older release. */
  readonly host: string | undefined
  /** When the owner last touched the file. Milliseconds since 1970. */
  readonly touchedAt: number
}

function self(): Owner {
  return { pid: process.pid, host: HOST, touchedAt: Date.now() }
}

/** Asked once, because the name of a laptop changes with its network. */
const HOST = hostname()

const TOUCHED_EVERY_MS = 5_000
/** A process whose event loop is blocked for so long loses its lock to another host. */
const ABANDONED_AFTER_MS = 30_000

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
    // The pid alone on the first line, which is all that an older release reads.
    writeFileSync(path, `${process.pid}\n${HOST}\n`, { flag: 'wx' })
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
    if (isMine(ownerOf(path))) rmSync(path, { force: true })
  }
}

function touchLater(): void {
  callLater(touchLocks, TOUCHED_EVERY_MS).unref()
}

function touchLocks(): void {
  touchLater()
  for (const path of held.keys()) {
    try {
      const now = new Date()
      if (isMine(ownerOf(path))) utimesSync(path, now, now)
      else warnOfFailure(`data-folder-lock:${path}`, `${path} is no longer this process's: ${LOST}`)
    } catch (error) {
      warnOfFailure(`data-folder-lock:${path}`, `${path} cannot be touched: ${error}. ${LOST}`)
    }
  }
}

const LOST =
  'another host may open the data folder, and two at once corrupt it. End one of the two processes.'

function ownerOf(path: string): Owner {
  try {
    const [pid = '', host = ''] = readFileSync(path, 'utf8').split('\n')
    const touchedAt = statSync(path).mtimeMs
    return { pid: Number.parseInt(pid, 10), host: host === '' ? undefined : host, touchedAt }
  } catch {
    return { pid: Number.NaN, host: undefined, touchedAt: 0 }
  }
}

function isMine({ pid, host }: Owner): boolean {
  return pid === process.pid && (host === undefined || host === HOST)
}

/**
 * Whether the lock is another process's that may be alive. A lock of this host with our own pid was
 * left by an earlier process, because pids start over when a container starts again.
 */
function isOther({ pid, host, touchedAt }: Owner): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  if (host !== undefined && host !== HOST) {
    return Date.now() - touchedAt < ABANDONED_AFTER_MS
  }
  if (pid === process.pid) return false
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

function locked(folder: string, path: string, { pid, host }: Owner): OncekeyError {
  const where = host === undefined || host === HOST ? '' : ` of the host ${host}`
  const otherwise =
    where === ''
      ? `If that process is something else by now, delete ${path}.`
      : `If that process has ended, start again when ${path} was not touched for ${ABANDONED_AFTER_MS / 1000} s, or delete it.`
  return new OncekeyError(
    'store-unavailable',
    `The data folder ${folder} is in use by process ${pid}${where}, and two at once would corrupt ` +
      `it. Run PostgreSQL itself to share a database between processes. ${otherwise}`,
  )
}
