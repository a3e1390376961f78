import { OptionsError } from '@oncekey/core'
import type { RedisClient, RedisSubscriber } from './redis-client.ts'

/**
 * The methods that are used of a node-redis client (the package `redis`, 5 or 6). It is made by
 * `createClient`, `createClientPool`, `createCluster` or `createSentinel`.
 */
export interface NodeRedisClient {
  // Each kind is sent commands in another way.
  // biome-ignore lint/suspicious/noExplicitAny: their parameters have nothing in common
  sendCommand(...given: any[]): Promise<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: overloads that are not of use here
  withTypeMapping(mapping: any): unknown
}

/** A connection of node-redis that subscribes. */
export interface NodeRedisSubscriber {
  // biome-ignore lint/suspicious/noExplicitAny: a listener of strings or of buffers
  subscribe(channel: string, listener: (...heard: any[]) => unknown): Promise<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: as above
  withTypeMapping(mapping: any): unknown
}

/**
 * Recognises a client by its methods. A node-redis 4 client lacks `withTypeMapping` and is refused.
 */
export function isNodeRedis(client: unknown): client is NodeRedisClient {
  return has(client, 'sendCommand', 'withTypeMapping')
}

/** Makes a node-redis client usable where scripts are run. */
export function fromNodeRedis(client: NodeRedisClient): RedisClient {
  const send = sender(client)
  const evaluate =
    (command: 'EVALSHA' | 'EVAL') =>
    (script: string, args: readonly (string | number | Buffer)[]) =>
      send([command, script, ...args.map(textOf)], args[0] === 0 ? undefined : textOf(args[1]))
  const methods: Record<string, (...given: never[]) => Promise<unknown>> = {
    evalshaBuffer: evaluate('EVALSHA'),
    evalBuffer: evaluate('EVAL'),
    wait: (...given: number[]) => send(['WAIT', ...given.map(textOf)]),
  }
  return {
    ...(methods as unknown as Pick<RedisClient, 'evalsha'>),
    // All commands are sent in one turn of the event loop. A client with one connection sends them
    // in this order.
    pipeline: (commands) => ({
      exec: async () => {
        const sent = commands.map(([name, ...given]) =>
          (methods[name as string] as (...given: unknown[]) => Promise<unknown>)(...given),
        )
        return (await Promise.allSettled(sent)).map((end) =>
          end.status === 'fulfilled' ? [null, end.value] : [end.reason, undefined],
        )
      },
    }),
    info: async (section) => String(await send(['INFO', section])),
    ...(isCluster(client) && { isCluster: true, nodes: () => mastersOf(client) }),
    // Its events, except on a change of the topology, are of the Sentinel as a whole.
    ...(isSentinel(client) && { resendsUnseen: true }),
  }
}

/** Makes a node-redis connection usable for subscribing. */
export function subscriberOfNodeRedis(client: NodeRedisSubscriber): RedisSubscriber {
  const listeners: ((channel: string, message: string) => void)[] = []
  return {
    subscribe: (channel) =>
      client.subscribe(channel, (message: string) => {
        for (const hear of listeners) hear(channel, message)
      }),
    on: (_, listener) => listeners.push(listener),
  }
}

/**
 * Refuses `replicas` for a client that would send `WAIT` on a connection other than the one that
 * wrote.
 */
export function refuseReplicasOfNodeRedis(client: NodeRedisClient): void {
  if (!isCluster(client) && !isSentinel(client) && !isPool(client)) return
  throw new OptionsError(
    'redisStore(): `replicas` needs one connection for a script and its `WAIT`, which a Cluster, a ' +
      'Sentinel or a pool of node-redis does not promise: use ioredis, or a single client.',
  )
}

type Send = (command: readonly (string | Buffer)[], firstKey?: string | Buffer) => Promise<unknown>

function sender(client: NodeRedisClient): Send {
  const send: Send = isCluster(client)
    ? (command, firstKey) => client.sendCommand(firstKey, false, command, OPTIONS)
    : isSentinel(client)
      ? (command) => client.sendCommand(false, command, OPTIONS)
      : (command) => client.sendCommand(command, OPTIONS)
  return async (command, firstKey) => {
    try {
      return await send(command, firstKey)
    } catch (error) {
      throw asReplyError(error)
    }
  }
}

/**
 * The mapping returns bulk strings (`RESP_TYPES.BLOB_STRING`) as bytes. `asap: false` keeps
 * commands in the order of the calls, whatever the client's own options say: `WAIT` must come after
 * its script.
 */
const OPTIONS = { typeMapping: { 36: Buffer }, asap: false }

/** Gives an error that the server sent the same name as in ioredis. */
function asReplyError(error: unknown): unknown {
  for (let type = Object(error); type !== null; type = Object.getPrototypeOf(type)) {
    if (type.constructor?.name !== 'ErrorReply') continue
    const { message } = error as Error
    return Object.assign(new Error(message, { cause: error }), { name: 'ReplyError' })
  }
  return error
}

interface NodeRedisCluster extends NodeRedisClient {
  readonly masters: readonly unknown[]
  nodeClient(node: unknown): NodeRedisClient | Promise<NodeRedisClient>
}

function isCluster(client: NodeRedisClient): client is NodeRedisCluster {
  return has(client, 'nodeClient') && 'masters' in client
}

function isSentinel(client: NodeRedisClient): boolean {
  return has(client, 'getMasterNode')
}

/** Whether the client takes another connection for each command. */
function isPool(client: NodeRedisClient): boolean {
  return has(client, 'execute') && 'totalClients' in client
}

function mastersOf(client: NodeRedisCluster): { info(section: string): Promise<string> }[] {
  return client.masters.map((master) => ({
    info: async (section) => fromNodeRedis(await client.nodeClient(master)).info(section),
  }))
}

function textOf(argument: string | number | Buffer | undefined): string | Buffer {
  return typeof argument === 'string' || Buffer.isBuffer(argument) ? argument : String(argument)
}

function has(client: unknown, ...methods: string[]): boolean {
  return methods.every((method) => typeof Reflect.get(Object(client), method) === 'function')
}
