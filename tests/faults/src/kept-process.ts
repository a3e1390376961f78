import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, startNode } from '@oncekey/test-servers'

/** A process that faults end, and that is then replaced by a new one. */
export interface KeptProcess {
  /** The last output of each process that ended by itself. */
  readonly crashes: readonly string[]
  /** SIGKILL, and a new process in its place some time later. */
  killAndRestart(downMs: number): Promise<void>
  /** SIGTERM, and a new process once it has ended; SIGKILL if it does not end in time. */
  redeploy(patienceMs: number): Promise<void>
  /** SIGSTOP, and SIGCONT some time later: it continues as if nothing had happened. */
  pause(forMs: number): Promise<void>
  /** SIGTERM; SIGKILL if that takes too long. */
  end(patienceMs: number): Promise<void>
  kill(): Promise<void>
}

/** Starts a program of this campaign. `args` is called each time it starts. */
export async function keepProcess(
  name: string,
  program: URL,
  { args, env }: { readonly args: () => unknown; readonly env: Readonly<Record<string, string>> },
): Promise<KeptProcess> {
  const crashes: string[] = []
  let ended: number | undefined
  const start = async (): Promise<Child<unknown>> => {
    const child = await startNode(program, {
      args: [JSON.stringify(args())],
      env,
      // A machine that runs a campaign is slow to start anything.
      readyTimeoutMs: 600_000,
    })
    child.exited.then(() => {
      if (child.pid !== ended) crashes.push(`${name}: ${child.output().slice(-2_000)}`)
    })
    return child
  }
  const kill = async (): Promise<void> => {
    ended = child.pid
    child.kill()
    await child.exited
  }
  const end = async (patienceMs: number): Promise<void> => {
    ended = child.pid
    child.kill('SIGTERM')
    await Promise.race([child.exited, sleep(patienceMs, undefined, { ref: false })])
    await kill()
  }
  let child = await start()

  return {
    crashes,
    kill,
    end,
    async killAndRestart(downMs) {
      await kill()
      await sleep(downMs)
      child = await start()
    },
    async redeploy(patienceMs) {
      await end(patienceMs)
      child = await start()
    },
    async pause(forMs) {
      child.kill('SIGSTOP')
      await sleep(forMs)
      child.kill('SIGCONT')
    },
  }
}
