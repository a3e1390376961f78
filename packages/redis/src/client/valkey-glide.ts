import type { RedisClient, RedisSubscriber } from './redis-client.ts'

/**
 * The methods that are used of a client of valkey-glide (the package `@valkey/valkey-glide`), a
 * `GlideClient` or a `GlideClusterClient`.
 */
export interface GlideClient {
  // biome-ignore lint/suspicious/noExplicitAny: a Cluster's has other options than a client's
  customCommand(args: (string | Buffer)[], options?: any): Promise<unknown>
  // biome-ignore lint/suspicious/noExplicitAny: a member to recognise the package by
  invokeScript(script: any, options?: any): Promise<unknown>
}

/** A connection of valkey-glide that subscribes. */
export interface GlideSubscriber {
  // biome-ignore lint/suspicious/noExplicitAny: options that are not of use here
  subscribe(channels: Set<any>, timeoutMs: number, options?: any): Promise<unknown>
  getPubSubMessage(): Promise<{ readonly channel: unknown; readonly message: unknown }>
}

/** Recognises a client by its methods. */
export function isGlide(client: unknown): client is GlideClient {
  return has(client, 'invokeScript', 'customCommand')
}

/** Makes a client of valkey-glide usable where scripts are run. */
export function fromGlide(client: GlideClient): RedisClient {
  const isCluster = has(client, 'invokeScriptWithRoute')
  const send = async (args: (string | Buffer)[], options: object): Promise<unknown> => {
    try {
      return await client.customCommand(args, options)
    } catch (error) {
      throw inWordsOfTheServer(error)
    }
  }
  const evaluate =
    (command: 'EVALSHA' | 'EVAL') =>
    (script: string, args: readonly (string | number | Buffer)[]) =>
      send([command, script, ...args.map(textOf)], { decoder: BYTES })
  const methods = { evalshaBuffer: evaluate('EVALSHA'), evalBuffer: evaluate('EVAL') }
  return {
    ...(methods as unknown as Pick<RedisClient, 'evalsha'>),
    // Used for `replicas` and automatic pipelining only, which a client of glide has not.
    pipeline() {
      throw new Error('A client of valkey-glide has no pipeline here.')
    },
    async info(section) {
      const route = isCluster && { route: 'allPrimaries' }
      return infoIn(await send(['INFO', section], { decoder: TEXT, ...route }))
    },
    ...(isCluster && { isCluster }),
  }
}

/** Makes a connection of valkey-glide usable for subscribing. */
export function subscriberOfGlide(client: GlideSubscriber): RedisSubscriber {
  return {
    subscribe: (channel) => client.subscribe(new Set([channel]), SUBSCRIBE_MS),
    on: (_, listener) => void listen(client, listener),
  }
}

/** Hears until the client is closed, which is its user's business. */
async function listen(
  client: GlideSubscriber,
  hear: (channel: string, message: string) => void,
): Promise<void> {
  for (;;) {
    const heard = await client.getPubSubMessage().catch(() => undefined)
    if (heard === undefined) return
    hear(String(heard.channel), String(heard.message))
  }
}

/** Whether glide gives messages to a callback of the user's, so that nobody else would get them. */
export function hasCallback(subscriber: unknown): boolean {
  const { config } = Object(subscriber) as { config?: { pubsubSubscriptions?: object } }
  return has(config?.pubsubSubscriptions, 'callback')
}

/**
 * Glide puts its own words before a server's error and translates some of its codes. The store
 * reads the server's: `An error was signalled by the server: - NoScriptError: No matching script.`
 * is `NOSCRIPT No matching script.` again, and `OOM: command not allowed` is `OOM command not
 * allowed`.
 */
function inWordsOfTheServer(error: unknown): unknown {
  const found = error instanceof Error && SERVER_ERROR.exec(error.message)
  if (!found) return error
  const [, code = '', text] = found
  const message = `${CODES[code] ?? code} ${text}`
  return Object.assign(new Error(message, { cause: error }), { name: 'ReplyError' })
}

const SERVER_ERROR =
  /^(?:An error was signalled by the server: - )?(\w+Error|[A-Z][A-Za-z]+): ([\s\S]*)$/

const CODES: Readonly<Record<string, string>> = {
  ResponseError: 'ERR',
  ExecAbortError: 'EXECABORT',
  BusyLoadingError: 'LOADING',
  NoScriptError: 'NOSCRIPT',
  Moved: 'MOVED',
  Ask: 'ASK',
  TryAgain: 'TRYAGAIN',
  ClusterDown: 'CLUSTERDOWN',
  CrossSlot: 'CROSSSLOT',
  MasterDown: 'MASTERDOWN',
  ReadOnly: 'READONLY',
}

/** Of a Cluster, glide returns the texts of all nodes by their addresses. */
function infoIn(reply: unknown): string {
  if (typeof reply === 'string') return reply
  const texts = Array.isArray(reply)
    ? reply.map(({ value }) => value)
    : Object.values(Object(reply) as object)
  return texts.join('\n')
}

function textOf(argument: string | number | Buffer): string | Buffer {
  return typeof argument === 'number' ? String(argument) : argument
}

function has(client: unknown, ...methods: string[]): boolean {
  return methods.every((method) => typeof Reflect.get(Object(client), method) === 'function')
}

/** Glide's `Decoder.Bytes` and `Decoder.String`. */
const BYTES = 0
const TEXT = 1

const SUBSCRIBE_MS = 5_000
