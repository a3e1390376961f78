import { callLater, messageOf, warnOnce } from '@oncekey/core'
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

/**
 * Hears until the client is closed, which is its user's business. After any other failure it goes
 * on: waiting requests that heard nothing more would only look for their response now and then.
 */
async function listen(
  client: GlideSubscriber,
  hear: (channel: string, message: string) => void,
): Promise<void> {
  for (;;) {
    try {
      const heard = await client.getPubSubMessage()
      hear(String(heard.channel), String(heard.message))
    } catch (error) {
      if (error instanceof Error && error.name === 'ClosingError') return
      const message = messageOf(error)
      warnOnce(
        `glide-subscriber:${message}`,
        `The subscriber of valkey-glide failed and is tried again: ${message.replace(/\.$/, '')}. ` +
          'This is logged once.',
      )
      await new Promise<void>((resolve) => callLater(resolve, HEAR_AGAIN_MS).unref())
    }
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
 * allowed`. Without glide's words, `Word: text` can be an error of the connection, after which the
 * server may have run the command: only a code of the server makes it the server's.
 */
function inWordsOfTheServer(error: unknown): unknown {
  const found = error instanceof Error && SERVER_ERROR.exec(error.message)
  if (!found) return error
  const [, said, code = '', text] = found
  if (said === undefined && !Object.hasOwn(CODES, code) && !SERVER_CODE.test(code)) return error
  const message = `${CODES[code] ?? code} ${text}`
  return Object.assign(new Error(message, { cause: error }), { name: 'ReplyError' })
}

const SERVER_ERROR = /^(An error was signalled by the server: - )?([A-Z]\w+): ([\s\S]*)$/
const SERVER_CODE = /^[A-Z]{2,}$/

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
const HEAR_AGAIN_MS = 1_000
