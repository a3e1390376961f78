import { readdirSync, readFileSync } from 'node:fs'

/** The processor time of each process of a server. Microseconds. */
export type PostgresCpu = ReadonlyMap<string, number>

/** Empty if the system does not report it; only Linux does. */
export function postgresCpu(postmaster: number): PostgresCpu {
  const micros = new Map<string, number>()
  for (const pid of listed('/proc').filter((name) => /^\d+$/.test(name))) {
    if (pid !== `${postmaster}` && parentOf(pid) !== postmaster) continue
    micros.set(pid, Number(read(`/proc/${pid}/schedstat`).split(' ')[0]) / 1000)
  }
  return micros
}

/**
 * The processor time used in between by the processes that exist at the end. `undefined` if that is
 * unknown.
 */
export function cpuMicrosBetween(before: PostgresCpu, after: PostgresCpu): number | undefined {
  if (after.size === 0) return undefined
  let total = 0
  for (const [pid, micros] of after) total += micros - (before.get(pid) ?? 0)
  return total
}

/** Skips the name of the process, which is in brackets and may contain any character. */
function parentOf(pid: string): number {
  const stat = read(`/proc/${pid}/stat`)
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

/** Empty if the process has just ended. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
