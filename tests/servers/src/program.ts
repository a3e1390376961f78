import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

export interface Wanted {
  /** Its name on PATH. */
  program: string
  debianPackage: string
  /** Advice for a user who has to install it. */
  missing: string
}

const found = new Map<string, Promise<string>>()

/**
 * Returns the path of a program that tests need, from PATH. If it is not there, root on Debian or
 * Ubuntu installs it with apt-get; everybody else gets an error that says what to install.
 */
export function findProgram(wanted: Wanted): Promise<string> {
  const path = found.get(wanted.program) ?? find(wanted)
  found.set(wanted.program, path)
  return path
}

async function find(wanted: Wanted): Promise<string> {
  return onPath(wanted.program) ?? (await install(wanted))
}

function onPath(program: string): string | undefined {
  // Debian puts servers into folders that only root's PATH contains.
  const folders = [...(process.env.PATH ?? '').split(delimiter).filter(Boolean), '/usr/sbin']
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

async function install({ program, debianPackage, missing }: Wanted): Promise<string> {
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) throw new Error(missing)
  try {
    await updateLists()
    const installed = onPath(program)
    // Another process is installing it, too, and was faster.
    if (installed !== undefined) return installed
    await aptGet('install', '--yes', '--no-install-recommends', debianPackage)
    const path = onPath(program)
    if (path === undefined) throw new Error('It is still not on PATH')
    return path
  } catch (cause) {
    throw new Error(`${missing}\nThe attempt to install it failed.`, { cause })
  }
}

/**
 * Retries, because several test files may install a program at once, and apt-get fails immediately
 * if another process has locked the package lists.
 */
async function updateLists(attemptsLeft = 300): Promise<void> {
  try {
    await aptGet('update')
  } catch (error) {
    const isLocked = String((error as { stderr?: string }).stderr).includes('/lists/lock')
    if (!isLocked || attemptsLeft === 0) throw error
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await updateLists(attemptsLeft - 1)
  }
}

/** Waits for the lock of dpkg itself. */
async function aptGet(...args: string[]): Promise<void> {
  await promisify(execFile)('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
