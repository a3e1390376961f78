import type { RedisClient } from './redis-client.ts'

/**
 * How often a client of ioredis has lost a connection. It resends what had no reply by itself (a
 * `Redis` with `autoResendUnfulfilledCommands`, its default, and a `Cluster`), and does not say so:
 * if this number rose while a command was waiting, a first copy of that may still be on its way.
 *
 * Clients that reject such commands, as node-redis does, have no such events, and count none.
 */
export function lostConnections(client: RedisClient): { readonly count: number } {
  const { on } = client as Emitter
  if (typeof on !== 'function') return NONE
  const known = counted.get(client)
  if (known !== undefined) return known
  const lost = { count: 0 }
  counted.set(client, lost)
  const isLost = (): void => {
    lost.count += 1
  }
  on.call(client, 'close', isLost)
  on.call(client, '-node', isLost)
  return lost
}

/** One listener for each client, however many stores use it. */
const counted = new WeakMap<object, { count: number }>()
const NONE = { count: 0 }

interface Emitter {
  on?(event: 'close' | '-node', listener: () => void): unknown
}
