import { type Clock, startClock } from '@oncekey/test-servers'
import type { Database } from '../databases/database.ts'
import { type KeptProcess, keepProcess } from '../kept-process.ts'
import { startWires, type Wire } from '../wire.ts'
import type { Release } from './consumed.ts'
import type { RelayProcessOptions } from './programs/relay-options.ts'

/** A relay's process, and the proxy between it and the database. */
export interface RelayProcess extends KeptProcess {
  readonly database: Wire
  readonly clock: Clock
  /** The next process that starts has this release. */
  use(release: Release): void
  /** The release of the present process. */
  release(): Release
  stop(): Promise<void>
}

export async function startRelayProcess(
  { ports, reachedBy }: Database,
  rest: Omit<RelayProcessOptions, 'database'>,
): Promise<RelayProcess> {
  const clock = await startClock({ looks: 'every second' })
  const database = await startWires(ports)
  let release = rest.release
  const kept = await keepProcess(rest.name, new URL('./programs/relay.ts', import.meta.url), {
    args: (): RelayProcessOptions => ({
      ...rest,
      release,
      database: reachedBy(database.ports),
    }),
    env: clock.env,
  })

  return {
    ...kept,
    database,
    clock,
    use(next) {
      release = next
    },
    release: () => release,
    async stop() {
      await kept.kill()
      await database.stop()
      clock.remove()
    },
  }
}
