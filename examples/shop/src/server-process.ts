import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A process of the shop that can be killed, and restarts on the same port. */
export interface ServerProcess {
  readonly url: string
  /** SIGKILL: no handler runs, and nothing is flushed. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export async function serverProcess(
  port: number,
  env: Readonly<Record<string, string>>,
): Promise<ServerProcess> {
  const script = fileURLToPath(new URL('./server.ts', import.meta.url))
  let end: (signal: NodeJS.Signals) => Promise<void> = async () => {}

  async function start(): Promise<void> {
    const child = spawn(process.execPath, ['--import', 'tsx', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
      // In a process group of its own: Ctrl+C then reaches only the main program, which decides
      // what happens to its processes.
      detached: true,
      env: { ...process.env, ...env, PORT: String(port) },
    })
    const orphaned = () => child.kill('SIGKILL')
    process.once('exit', orphaned)
    const exited = once(child, 'exit').then(() => void process.off('exit', orphaned))
    end = async (signal) => {
      child.kill(signal)
      await exited
    }
    const ready = once(createInterface({ input: child.stdout }), 'line')
    await Promise.race([
      ready,
      exited.then(() => Promise.reject(new Error('The server ended before it was ready.'))),
    ])
  }

  await start()
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
  }
}
