/**
 * How often a client of ioredis has lost a connection. It resends what had no reply by itself (a
 * `Redis` with `autoResendUnfulfilledCommands`, its default, and a `Cluster`), and does not say so:
 * if this number rose while a command was waiting, a first copy of that may still be on its way.
 *
 * Other clients have no such events and no `status` here, and count none: those of node-redis
 * reject such commands, except a Sentinel's, which resends without a sign (`resendsUnseen`).
 */
export function lostConnections(client: object): { readonly count: number } {
  const { on, status } = client as Emitter
  if (typeof on !== 'function' || status === undefined) return NONE
  const known = counted.get(client)
  if (known !== undefined) return known
  const lost = { count: 0 }
  counted.set(client, lost)
  // `close` also ends every attempt to connect that fails, which carried no command.
  let isUp = status === 'ready'
  on.call(client, 'ready', () => {
    isUp = true
  })
  on.call(client, 'close', () => {
    if (isUp) lost.count += 1
    isUp = false
  })
  on.call(client, '-node', () => {
    lost.count += 1
  })
  return lost
}

/** One listener for each client, however many stores use it. */
const counted = new WeakMap<object, { count: number }>()
const NONE = { count: 0 }

interface Emitter {
  readonly status?: string
  on?(event: 'ready' | 'close' | '-node', listener: () => void): unknown
}
