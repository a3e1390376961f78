import { type RedisServer, startProxy } from '@oncekey/test-servers'
import { Redis } from 'ioredis'

/** The cost in Redis of each of a number of requests. */
export interface RedisCost {
  /** How often a client waited for Redis, or would have waited if it awaited every reply. */
  readonly roundTrips: number
  /**
   * The commands that the server executed, including those in scripts: `evalsha 2, hset 2, set 1`.
   */
  readonly commands: string
}

/** Counts commands during `work`. No other client may use the server meanwhile. */
export interface RedisCounter {
  /** The URL for a client whose commands are counted. */
  readonly url: string
  count(requests: number, send: (index: number) => Promise<void>): Promise<RedisCost>
  stop(): Promise<void>
}

export async function redisCounter(redis: RedisServer): Promise<RedisCounter> {
  const proxy = await startProxy(redis.port)
  // A delay, so that everything a client sends at once counts as one round trip, however the bytes
  // are split.
  proxy.latency(2)
  const looker = new Redis(redis.url)
  return {
    url: proxy.through(redis.url),
    async count(requests, send) {
      await settled(looker)
      await looker.config('RESETSTAT')
      proxy.resetCounts()
      for (let index = 0; index < requests; index += 1) {
        await send(index)
        // Some contenders store the response after they have sent it.
        await settled(looker)
      }
      const calls = await commandCalls(looker)
      return {
        roundTrips: proxy.counts().roundTrips / requests,
        commands: [...calls].map(([name, count]) => `${name} ${count / requests}`).join(', '),
      }
    },
    async stop() {
      looker.disconnect()
      await proxy.stop()
    },
  }
}

/** Resolves when two readings in a row show nothing new. */
async function settled(redis: Redis): Promise<void> {
  const look = async (): Promise<string> => JSON.stringify([...(await commandCalls(redis))])
  let before = await look()
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = await look()
    if (now === before) return
    before = now
  }
}

/** Excludes the commands of a new connection, and those of the measurement. */
async function commandCalls(redis: Redis): Promise<Map<string, number>> {
  const stats = await redis.info('commandstats')
  const found = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
  return new Map(
    found
      .map(([, name = '', calls]) => [name, Number(calls)] as const)
      .filter(([name]) => !/^(config|info|command|ping|client|hello|select)/.test(name))
      .sort(([one], [two]) => (one < two ? -1 : 1)),
  )
}
