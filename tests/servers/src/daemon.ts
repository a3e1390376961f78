import { type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { watch } from './watchdog.ts'

/** A server's process, until it ends. */
export interface Daemon {
  pid: number
  isGone(): boolean
  /**
   * SIGKILL to it and its children, which reaches a paused process, too; resolves once it is gone.
   */
  end(): Promise<void>
}

/** Starts a server that stays in the foreground; `onLog` gets its output. */
export function startDaemon(
  binary: string,
  args: string[],
  options: Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'>,
  onLog: (text: string) => void,
): Daemon {
  const child = spawn(binary, args, {
    ...options,
    // A process group of its own: Ctrl-C is for the test run, which then stops its servers.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const outputs = [child.stdout, child.stderr] as unknown as Socket[]
  for (const output of outputs) output.setEncoding('utf8').on('data', onLog)
  const { pid } = child
  if (pid === undefined) throw new Error(`No process could be started for ${binary}`)
  const unwatch = watch({ group: pid })
  let gone = false
  const closed = once(child, 'close').then(() => {
    gone = true
    unwatch()
  })
  // A forgotten server must not keep a script from ending; the watchdog stops it then.
  child.unref()
  for (const output of outputs) output.unref()

  return {
    pid,
    isGone: () => gone,
    end: async () => {
      child.ref()
      for (const output of outputs) output.ref()
      killGroup(pid)
      await closed
    },
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
