import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Counts the instructions that a process executes outside the kernel. */
export interface Callgrind {
  /** The command to run the process under. */
  readonly under: readonly string[]
  /**
   * What was executed between the last two calls of the function that marks, by function, without
   * the functions it calls. `pid` is that of the process.
   */
  selfCosts(pid: number): ReadonlyMap<string, number>
  /** Removes the files. */
  remove(): void
}

/** Whether valgrind is installed; without it no instructions are counted. */
export function hasValgrind(): boolean {
  try {
    execFileSync('valgrind', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * Has valgrind write down and reset its counts at every call of a function of C, so that a process
 * can be warmed up first, and counted from one call to the next.
 */
export function callgrind(mark: string, folder = mkdtempSync(join(tmpdir(), 'callgrind-'))) {
  const profiler: Callgrind = {
    under: [
      'valgrind',
      '--tool=callgrind',
      // V8 writes code; without this, valgrind would go on running the code that was there before.
      '--smc-check=all-non-file',
      `--dump-before=${mark}`,
      `--callgrind-out-file=${join(folder, 'counts.%p')}`,
      '--quiet',
    ],
    selfCosts(pid) {
      const files = readdirSync(folder).filter((name) => name.startsWith(`counts.${pid}.`))
      const last = Math.max(...files.map((name) => Number(name.split('.')[2])))
      return selfCostsIn(readFileSync(join(folder, `counts.${pid}.${last}`), 'utf8'))
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
  return profiler
}

/**
 * Reads callgrind's format: `fn=(id) name`, then lines of position and cost. A line behind `calls=`
 * has the cost of the callee, which is counted there.
 */
export function selfCostsIn(text: string): ReadonlyMap<string, number> {
  const names = new Map<string, string>()
  const costs = new Map<string, number>()
  let name = ''
  let isCallee = false
  for (const line of text.split('\n')) {
    const called = /^(c?)fn=\((\d+)\)(?: (.*))?$/.exec(line)
    if (called !== null) {
      const [, isCalled, id = '', given] = called
      if (given !== undefined) names.set(id, given)
      if (isCalled === '') name = names.get(id) ?? id
    } else if (line.startsWith('calls=')) {
      isCallee = true
    } else if (/^[+\-*\d]/.test(line)) {
      if (!isCallee) costs.set(name, (costs.get(name) ?? 0) + Number(line.split(' ')[1] ?? 0))
      isCallee = false
    }
  }
  return costs
}
