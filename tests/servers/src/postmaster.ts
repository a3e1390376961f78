import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { type Cluster, serverEnv } from './postgres-cluster.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

/** One run of the server. */
export interface Postmaster {
  pid: number
  port: number
  /** Resolves once the last process of the server is gone, including backends. */
  end(signal: NodeJS.Signals): Promise<void>
}

const LOG_KEPT = 256 * 1024

/** Starts the server on `port` and waits, even through a recovery, until it accepts connections. */
export async function startPostmaster(cluster: Cluster, port: number): Promise<Postmaster> {
  const postgres = [join(cluster.binDir, 'postgres'), '-D', cluster.dataDir, '-p', `${port}`]
  const [program = '', ...args] = [...cluster.under, ...postgres]
  const child = spawn(program, args, {
    ...cluster.identity,
    cwd: cluster.folder,
    env: { ...serverEnv, ...cluster.env },
    // Ctrl-C is for the test run, which then stops its servers.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const stderr = child.stderr as Socket
  stderr.setEncoding('utf8').on('data', (text: string) => {
    cluster.log = (cluster.log + text).slice(-LOG_KEPT)
  })
  // Waits for 'close' and not for 'exit', because 'close' comes when no process holds the pipe any
  // longer, and every backend holds it.
  const closed = once(child, 'close')
  const pid = child.pid
  if (pid === undefined) throw await closed.catch((error: unknown) => error)
  const unwatch = watch({ process: { pid, signal: 'SIGQUIT' } })
  let gone = false
  const ended = closed.then(() => {
    gone = true
    unwatch()
  })

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.ref()
    stderr.ref()
    child.kill(signal)
    await ended
  }
  try {
    const state = await waitFor(() => (gone ? 'ended' : isReady(cluster, pid) && 'ready'), {
      what: 'Postgres to take connections',
      timeoutMs: 60_000,
    })
    if (state === 'ended') throw new Error('Postgres ended while it started')
  } catch (error) {
    await end('SIGKILL')
    throw new Error(`Postgres did not start on port ${port}. Its log:\n${cluster.log}`, {
      cause: error,
    })
  }
  // A forgotten server must not keep a script from ending; the watchdog stops it then.
  child.unref()
  stderr.unref()
  return { pid, port, end }
}

/** After a crash the file of the dead server is still there, so the pid is checked. */
function isReady(cluster: Cluster, pid: number): boolean {
  const lines = pidFile(cluster)
  return lines[0] === `${pid}` && lines[7]?.trim() === 'ready'
}

/**
 * Removes the 56 bytes of System V shared memory with which a killed server would block a second
 * one on its data. Otherwise only a restart of the machine would remove it. A server that shuts
 * down removes its memory itself.
 */
export function releaseSharedMemory(cluster: Cluster): void {
  const [, id] = pidFile(cluster)[6]?.trim().split(/\s+/) ?? []
  if (id === undefined) return
  try {
    execFileSync('ipcrm', ['-m', id], { stdio: 'ignore' })
  } catch {
    // It is gone already.
  }
}

function pidFile({ dataDir }: Cluster): string[] {
  try {
    return readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return []
  }
}
