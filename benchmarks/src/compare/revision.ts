import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { BenchResult } from '../run-benches.ts'

const execute = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))

/** A tree of the project that can be measured, in processes of its own. */
export interface Revision {
  readonly name: string
  /**
   * Runs benches once, with a warm-up, and returns the tables that this tree's own code made.
   */
  measure(args: readonly string[]): Promise<BenchResult[]>
  remove(): Promise<void>
}

/** The tree that contains this file, including changes that are not committed. */
export function thisTree(): Revision {
  return { name: 'this tree', measure: (args) => measure(root, args), async remove() {} }
}

/** Checks a commit out into a folder of its own and installs what it needs. */
export async function checkedOut(revision: string): Promise<Revision> {
  const { stdout } = await execute('git', ['rev-parse', '--verify', `${revision}^{commit}`], {
    cwd: root,
  }).catch(() => {
    throw new Error(`There is no commit "${revision}". Write a hash, a branch or a tag.`)
  })
  const commit = stdout.trim()
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-bench-'))
  const remove = async () => {
    await execute('git', ['worktree', 'remove', '--force', folder], { cwd: root })
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await execute('git', ['worktree', 'add', '--detach', folder, commit], { cwd: root })
    await execute('npx', ['-y', 'pnpm@12', 'install', '--frozen-lockfile', '--prefer-offline'], {
      cwd: folder,
      maxBuffer: MAX_OUTPUT_BYTES,
    })
  } catch (error) {
    await remove()
    throw error
  }
  return { name: commit.slice(0, 10), measure: (args) => measure(folder, args), remove }
}

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

async function measure(folder: string, args: readonly string[]): Promise<BenchResult[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'oncekey-measured-'))
  const json = join(scratch, 'results.json')
  try {
    const program = join('node_modules', 'tsx', 'dist', 'cli.mjs')
    const main = join('benchmarks', 'src', 'main.ts')
    await execute(process.execPath, [program, main, ...args, '--rounds', '1', '--json', json], {
      cwd: folder,
      maxBuffer: MAX_OUTPUT_BYTES,
    })
    if (!existsSync(json)) throw new Error(`The bench in ${folder} wrote no results.`)
    return JSON.parse(readFileSync(json, 'utf8')).results
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
