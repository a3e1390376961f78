import { OptionsError } from '@oncekey/core'

/**
 * The part of ioredis, 5 or 6, that is used: a `Redis` (single server or Sentinel) or a `Cluster`
 * fits as it is. A client is recognized by its shape, because two copies of ioredis may meet in one
 * process.
 */
export interface RedisClient {
  /** The types of ioredis declare only this method; the store calls its twin `evalshaBuffer`. */
  evalsha(sha1: string, keyCount: number, ...args: (string | number | Buffer)[]): Promise<unknown>
  pipeline(commands: unknown[][]): { exec(): Promise<[Error | null, unknown][] | null> }
  info(section: string): Promise<string>
  /** The connection of a `Redis` while it has one. */
  readonly stream?: { cork(): void; uncork(): void } | undefined
  /** Only a `Cluster` has it. */
  nodes?(role: 'master'): { info(section: string): Promise<string> }[]
  readonly isCluster?: boolean
  readonly options?: { readonly enableAutoPipelining?: boolean | undefined }
}

/** A connection that subscribes: ioredis again, used only for `SUBSCRIBE`. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
}

/** Throws {@link OptionsError} that says what to write instead. */
export function checkClient(
  client: RedisClient,
  of: 'redisStore' | 'redisLog' = 'redisStore',
): RedisClient {
  if (has(client, 'evalshaBuffer', 'evalBuffer', 'pipeline', 'info')) return client
  if (has(client, 'sendCommand')) {
    throw new OptionsError(
      `${of}(): \`client\` is not a client of the package "ioredis". ` +
        `Write \`import { Redis } from 'ioredis'\` and \`${of}({ client: new Redis(url) })\`.`,
    )
  }
  throw new OptionsError(
    `${of}(): \`client\` is missing: write \`${of}({ client: new Redis(url) })\`, ` +
      'with a `Redis` or a `Cluster` of the package "ioredis".',
  )
}

/** Throws {@link OptionsError} that says what to write instead. */
export function checkSubscriber(subscriber: RedisSubscriber, client: RedisClient): RedisSubscriber {
  if (!has(subscriber, 'subscribe', 'on')) {
    throw new OptionsError(
      'redisStore(): `subscriber` is not a client of the package "ioredis": write `subscriber: client.duplicate()`.',
    )
  }
  // A Cluster subscribes on a connection of its own, so it may be both.
  if (Object.is(subscriber, client) && client.isCluster !== true) {
    throw new OptionsError(
      'redisStore(): `subscriber` is the same connection as `client`, and a connection that subscribes takes no ' +
        'other commands: write `subscriber: client.duplicate()`.',
    )
  }
  return subscriber
}

function has(client: unknown, ...methods: string[]): boolean {
  return methods.every((method) => typeof Reflect.get(Object(client), method) === 'function')
}
