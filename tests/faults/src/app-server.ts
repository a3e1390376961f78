import { type Clock, freePort, startClock, startProxy } from '@oncekey/test-servers'
import type { Database } from './databases/database.ts'
import { keepProcess } from './kept-process.ts'
import type { ServerOptions } from './programs/server-options.ts'
import { startReframingProxy } from './reframing-proxy.ts'
import { startWires, type Wire } from './wire.ts'

/**
 * A server's process between two proxies: one for its clients, and one for its connections to the
 * database.
 */
export interface AppServer {
  readonly name: string
  /** The address for clients. */
  readonly url: string
  readonly clients: Wire
  readonly database: Wire
  readonly clock: Clock
  /** The last output of each process that ended without being killed. */
  readonly crashes: readonly string[]
  /** SIGKILL, and a new process in its place some time later. */
  killAndRestart(downMs: number): Promise<void>
  /** SIGSTOP, and SIGCONT some time later: it continues as if nothing had happened. */
  pause(forMs: number): Promise<void>
  /** How many connections were not returned to its pool. */
  leftOver(): Promise<number>
  stop(): Promise<void>
}

export async function startAppServer(
  { name, behindProxy }: { readonly name: string; readonly behindProxy: boolean },
  { ports, reachedBy }: Database,
  rest: Omit<ServerOptions, 'port' | 'database'>,
): Promise<AppServer> {
  const clock = await startClock({ looks: 'every second' })
  const database = await startWires(ports)
  const port = await freePort()
  const proxy = behindProxy ? await startReframingProxy(port) : undefined
  const clients = await startProxy(proxy?.port ?? port)
  const kept = await keepProcess(name, new URL('./programs/server.ts', import.meta.url), {
    args: () => ({ ...rest, database: reachedBy(database.ports), port }),
    env: clock.env,
  })

  return {
    name,
    url: `http://127.0.0.1:${clients.port}`,
    clients,
    database,
    clock,
    crashes: kept.crashes,
    killAndRestart: kept.killAndRestart,
    pause: kept.pause,
    async leftOver() {
      const response = await fetch(`http://127.0.0.1:${port}/left-over`)
      return Number(await response.text())
    },
    async stop() {
      await kept.kill()
      await Promise.all([clients.stop(), proxy?.stop(), database.stop()])
      clock.remove()
    },
  }
}
