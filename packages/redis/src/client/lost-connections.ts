/**
 * How often a client of ioredis has lost a connection. It resends what had no reply by itself (a
 * `Redis` with `autoResendUnfulfilledCommands`, its default, and a `Cluster`), and does not say so:
 * if this number rose while a command was waiting, a first copy of that may still be on its way. In
 * a Cluster each node's connection counts: with `clusterNodeRetryStrategy` a node that is connected
 * again stays the same node.
 *
 * Other clients have no such events and no `status` here, and count none: those of node-redis
 * reject such commands, except a Sentinel's, which resends without a sign (`resendsUnseen`).
 */
export function lostConnections(client: object): { readonly count: number } {
  if (!isEmitter(client)) return NONE
  const known = counted.get(client)
  if (known !== undefined) return known
  const lost = { count: 0 }
  counted.set(client, lost)
  watch(client, lost)
  for (const node of client.nodes?.('all') ?? []) watch(node, lost)
  client.on('+node', (node) => {
    if (node !== undefined) watch(node, lost)
  })
  client.on('-node', () => {
    lost.count += 1
  })
  return lost
}

function watch(connection: Emitter, lost: { count: number }): void {
  // `close` also ends every attempt to connect that fails, which carried no command.
  let isUp = connection.status === 'ready'
  connection.on('ready', () => {
    isUp = true
  })
  connection.on('close', () => {
    if (isUp) lost.count += 1
    isUp = false
  })
}

function isEmitter(client: object): client is Emitter {
  const { on, status } = client as Partial<Emitter>
  return typeof on === 'function' && status !== undefined
}

/** One listener for each client, however many stores use it. */
const counted = new WeakMap<object, { count: number }>()
const NONE = { count: 0 }

interface Emitter {
  readonly status: string
  on(event: 'ready' | 'close' | '+node' | '-node', listener: (node?: Emitter) => void): unknown
  /** Only a Cluster has this method. */
  nodes?(role: 'all'): readonly Emitter[]
}
