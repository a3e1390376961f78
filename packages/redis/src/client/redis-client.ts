/**
 * The methods that are used of an ioredis client, 5 or 6, or of iovalkey, its fork. A `Redis`
 * (single server or Sentinel) or a `Cluster` fits without a wrapper. A client is recognised by its
 * methods, not by its class, because a process may contain two copies of ioredis.
 */
export interface RedisClient {
  /**
   * The types of ioredis declare only this method; the store calls `evalshaBuffer`, which takes the
   * same arguments.
   */
  evalsha(sha1: string, keyCount: number, ...args: (string | number | Buffer)[]): Promise<unknown>
  pipeline(commands: unknown[][]): { exec(): Promise<[Error | null, unknown][] | null> }
  info(section: string): Promise<string>
  /** The connection of a `Redis` while it has one. */
  readonly stream?: { cork(): void; uncork(): void } | undefined
  /** Only a `Cluster` has this method. */
  nodes?(role: 'master'): { info(section: string): Promise<string> }[]
  readonly isCluster?: boolean
  /**
   * The client sends a command again that got no reply, and nothing tells that it did. The first
   * copy may still be on its way when the second one is answered.
   */
  readonly resendsUnseen?: boolean
  readonly options?: { readonly enableAutoPipelining?: boolean | undefined }
}

/** A connection that subscribes: ioredis again, used only for `SUBSCRIBE`. */
export interface RedisSubscriber {
  subscribe(channel: string): Promise<unknown>
  on(event: 'message', listener: (channel: string, message: string) => void): unknown
}
