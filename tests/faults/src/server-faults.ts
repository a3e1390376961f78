import { setTimeout as sleep } from 'node:timers/promises'
import type { AppServer } from './app-server.ts'
import { limits } from './limits.ts'
import type { Random } from './random.ts'
import type { Wire } from './wire.ts'

export type ServerFault = (server: AppServer, random: Random) => Promise<void>

/** Faults of a server's process and of the proxies on both sides of it. Each mends it again. */
export function serverFaults(completion: RegExp): Readonly<Record<string, ServerFault>> {
  return {
    'server killed': (server, random) => server.killAndRestart(random.between(0, 500)),

    // Half of the pauses outlast a lease, so the process that wakes up has lost what it holds.
    'server paused': (server, random) => server.pause(random.between(100, limits.leaseMs * 2)),

    async 'server clock set'({ clock }, random) {
      clock.shift(random.oneOf([-86_400, -60, -5, 5, 60, 86_400]))
      await sleep(random.between(1_200, 3_000))
      clock.shift(0)
    },

    ...wireFaults<AppServer>('to clients', /"takesMs":/, ({ clients }) => clients),
    ...wireFaults<AppServer>('to the database', completion, ({ database }) => database),
  }
}

/** Faults of a proxy. `asked` matches the statement that is lost, or whose answer is lost. */
export function wireFaults<Target>(
  between: string,
  asked: RegExp,
  wire: (of: Target) => Wire,
): Record<string, (of: Target, random: Random) => Promise<void>> {
  const sent = (bytes: Buffer): boolean => asked.test(bytes.toString('latin1'))
  return {
    async [`wire ${between} cut`](server) {
      wire(server).cut()
    },

    async [`wire ${between} stalled`](server, random) {
      const proxy = wire(server)
      proxy.stall()
      await sleep(random.between(100, 2_500))
      proxy.resume()
    },

    // Statements arrive and answers do not, and then the connection is cut, so that nobody learns
    // the outcome.
    async [`wire ${between} half open`](server, random) {
      const proxy = wire(server)
      proxy.stallDownstream()
      await sleep(random.between(100, 2_000))
      proxy.cut()
      proxy.resume()
    },

    async [`wire ${between} slow`](server, random) {
      const proxy = wire(server)
      proxy.latency(random.between(10, 100))
      await sleep(random.between(200, 1_500))
      proxy.latency(0)
    },

    async [`wire ${between} refusing`](server, random) {
      const proxy = wire(server)
      proxy.refuse()
      proxy.cut()
      await sleep(random.between(100, 1_000))
      await proxy.accept()
    },

    async [`answer ${between} lost`](server) {
      await soon(wire(server).dropAfter(sent))
    },

    async [`question ${between} lost`](server) {
      await soon(wire(server).dropBefore(sent))
    },
  }
}

/** Waits for a limited time. If nothing has matched by then, the trap stays set. */
async function soon(sprung: Promise<void>): Promise<void> {
  await Promise.race([sprung, sleep(2_000, undefined, { ref: false })])
}
