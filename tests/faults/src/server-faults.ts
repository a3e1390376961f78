import { setTimeout as sleep } from 'node:timers/promises'
import type { AppServer } from './app-server.ts'
import { limits } from './limits.ts'
import type { Random } from './random.ts'
import type { Wire } from './wire.ts'

export type ServerFault = (server: AppServer, random: Random) => Promise<void>

/** What can be done to a server's process, and to the wires on both sides of it. Each mends it again. */
export function serverFaults(completion: RegExp): Readonly<Record<string, ServerFault>> {
  return {
    'server killed': (server, random) => server.killAndRestart(random.between(0, 500)),

    // Half of the pauses outlast a lease: the process that wakes up has lost what it holds.
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

/** What can be done to a wire. `asked` is what the question looks like that gets lost, or its answer. */
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

    // Questions arrive, answers do not: and then it is cut, so that nobody learns what became of them.
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

/** The trap stays where nobody comes by in time. */
async function soon(sprung: Promise<void>): Promise<void> {
  await Promise.race([sprung, sleep(2_000, undefined, { ref: false })])
}
