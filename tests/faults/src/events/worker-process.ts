import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../databases/database.ts'
import { type KeptProcess, keepProcess } from '../kept-process.ts'
import type { Random } from '../random.ts'
import { startWires, type Wires } from '../wire.ts'

/** A process that sends webhooks, and the proxy between it and the database. */
export interface WorkerProcess extends KeptProcess {
  readonly database: Wires
  stop(): Promise<void>
}

export async function startWorkerProcess({ ports, reachedBy }: Database): Promise<WorkerProcess> {
  const database = await startWires(ports)
  const kept = await keepProcess('worker', new URL('./programs/worker.ts', import.meta.url), {
    args: () => ({ database: reachedBy(database.ports) }),
    env: {},
  })
  return {
    ...kept,
    database,
    async stop() {
      await kept.kill()
      await database.stop()
    },
  }
}

/** Faults of a worker. Each mends it again. */
export const workerFaults: Readonly<
  Record<string, (worker: WorkerProcess, random: Random) => Promise<void>>
> = {
  'worker killed': (worker, random) => worker.killAndRestart(random.between(0, 500)),

  'worker paused': (worker, random) => worker.pause(random.between(100, 8_000)),

  async 'worker cut off'({ database }, random) {
    database.refuse()
    database.cut()
    await sleep(random.between(100, 6_000))
    await database.accept()
  },
}
