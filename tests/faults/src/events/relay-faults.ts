import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '../limits.ts'
import type { Random } from '../random.ts'
import { wireFaults } from '../server-faults.ts'
import type { RelayProcess } from './relay-process.ts'

export type RelayFault = (relay: RelayProcess, random: Random) => Promise<void>

/** Faults of a relay's process and of its proxy. Each mends it again. */
export const relayFaults: Readonly<Record<string, RelayFault>> = {
  'relay killed': (relay, random) => relay.killAndRestart(random.between(0, 500)),

  // Half of the pauses outlast a lease, so the process that wakes up has lost what it holds.
  'relay paused': (relay, random) => relay.pause(random.between(100, limits.relayLeaseMs * 2)),

  async 'relay clock set'({ clock }, random) {
    clock.shift(random.oneOf([-86_400, -60, -5, 5, 60, 86_400]))
    await sleep(random.between(1_200, 3_000))
    clock.shift(0)
  },

  ...wireFaults<RelayProcess>('to the log', /advance|COMMIT|evalsha/i, ({ database }) => database),
}

/**
 * Only for a relay whose release other relays run, too: when the last relay of a release leaves,
 * the release's list of types is removed.
 */
export const deployments: Readonly<Record<string, RelayFault>> = {
  async 'relay redeployed'(relay) {
    relay.use(relay.release() === 'old' ? 'new' : 'old')
    await relay.redeploy(10_000)
  },

  async 'relay redeployed by force'(relay, random) {
    relay.use(relay.release() === 'old' ? 'new' : 'old')
    await relay.killAndRestart(random.between(0, 500))
  },
}
