import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, realpathSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Options of `spawn` that keep the program from running as root; empty for other users. */
export interface Identity {
  uid?: number
  gid?: number
}

/**
 * Postgres refuses to run as root, so servers started by root run as `nobody`, the one user that
 * every system has. (initdb needs the user's name, so an arbitrary number would not do.)
 */
export function unprivileged(): Identity {
  if (process.getuid?.() !== 0) return {}
  return { uid: nobody('-u'), gid: nobody('-g') }
}

function nobody(flag: '-u' | '-g'): number {
  return Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
}

/** Creates an empty folder that belongs to that user, below folders that are all open to them. */
export function unprivilegedFolder(prefix: string, identity: Identity): string {
  const { uid, gid } = identity
  if (uid === undefined || gid === undefined) return mkdtempSync(join(tmpdir(), prefix))
  const parent = [tmpdir(), '/tmp', '/var/tmp'].find(lettingOthersIn)
  if (parent === undefined) throw new Error(`No temporary folder is open to other users than root`)
  const folder = mkdtempSync(join(parent, prefix))
  chownSync(folder, uid, gid)
  return folder
}

function lettingOthersIn(folder: string): boolean {
  try {
    const path = realpathSync(folder)
    const open = (statSync(path).mode & 0o001) !== 0
    return open && (path === dirname(path) || lettingOthersIn(dirname(path)))
  } catch {
    return false
  }
}
