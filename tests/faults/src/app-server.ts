import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, freePort, startNode, startProxy } from '@oncekey/test-servers'
import { type Clock, startClock } from './clock.ts'
import type { Database } from './databases/database.ts'
import type { ServerOptions } from './programs/server-options.ts'
import { startWires, type Wire } from './wire.ts'

/** A server's process between two wires: one that clients come through, one on its way to the database. */
export interface AppServer {
  readonly name: string
  /** Where clients send to. */
  readonly url: string
  readonly clients: Wire
  readonly database: Wire
  readonly clock: Clock
  /** What it last printed, for every time that its process ended and nobody had killed it. */
  readonly crashes: readonly string[]
  /** SIGKILL, and a new process in its place some time later. */
  killAndRestart(downMs: number): Promise<void>
  /** SIGSTOP, and SIGCONT some time later: it goes on as if nothing had been. */
  pause(forMs: number): Promise<void>
  /** Connections of its pool that are not back. */
  leftOver(): Promise<number>
  stop(): Promise<void>
}

export async function startAppServer(
  name: string,
  { ports, reachedBy }: Database,
  rest: Omit<ServerOptions, 'port' | 'database'>,
): Promise<AppServer> {
  const clock = await startClock()
  const database = await startWires(ports)
  const port = await freePort()
  const clients = await startProxy(port)
  const crashes: string[] = []
  let killed: number | undefined
  const start = async (): Promise<Child<unknown>> => {
    const child = await startNode(new URL('./programs/server.ts', import.meta.url), {
      args: [JSON.stringify({ ...rest, database: reachedBy(database.ports), port })],
      env: clock.env,
      // A machine that is busy with a campaign is slow to start anything.
      readyTimeoutMs: 120_000,
    })
    child.exited.then(() => {
      if (child.pid !== killed) crashes.push(`${name}: ${child.output().slice(-2_000)}`)
    })
    return child
  }
  const kill = async (): Promise<void> => {
    killed = child.pid
    child.kill()
    await child.exited
  }
  let child = await start()

  return {
    name,
    url: `http://127.0.0.1:${clients.port}`,
    clients,
    database,
    clock,
    crashes,
    async killAndRestart(downMs) {
      await kill()
      await sleep(downMs)
      child = await start()
    },
    async pause(forMs) {
      child.kill('SIGSTOP')
      await sleep(forMs)
      child.kill('SIGCONT')
    },
    async leftOver() {
      const response = await fetch(`http://127.0.0.1:${port}/left-over`)
      return Number(await response.text())
    },
    async stop() {
      await kill()
      await Promise.all([clients.stop(), database.stop()])
      clock.remove()
    },
  }
}
