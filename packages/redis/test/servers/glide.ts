import type { StoreFixture } from '@oncekey/conformance'
import type { Store } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { startProxy } from '@oncekey/test-servers'
import { GlideClient, GlideClusterClient, Logger } from '@valkey/valkey-glide'
import type { Redis } from 'ioredis'
import { claimOf, run } from './claims.ts'
import { fixtureOf } from './redis-fixture.ts'

/** Every forgotten script would be a warning on stderr. */
Logger.init('off')

/** A client on one server. Its own time limit, 250 ms by default, is longer than the store's. */
export const glideOn = (port: number): Promise<GlideClient> =>
  GlideClient.createClient({ addresses: [{ host: '127.0.0.1', port }], requestTimeout: 10_000 })

/** A client of a cluster. */
export const glideOnCluster = (ports: readonly number[]): Promise<GlideClusterClient> =>
  GlideClusterClient.createClient({
    addresses: ports.map((port) => ({ host: '127.0.0.1', port })),
    requestTimeout: 10_000,
  })

/** A fixture of stores with clients of valkey-glide, which are closed with it. */
export async function glideFixture<Client extends GlideClient | GlideClusterClient>(
  connect: () => Promise<Client>,
  readers: readonly Redis[],
  port?: number,
): Promise<StoreFixture<never>> {
  const open: { close(): unknown }[] = []
  const closing = <Opened extends { close(): unknown }>(opened: Opened): Opened => {
    open.push(opened)
    return opened
  }
  const another = async (): Promise<Store<never>> => {
    const client = closing(await connect())
    const subscriber = closing(await connect())
    return redisStore({ client, subscriber })
  }
  return fixtureOf({
    first: await another(),
    another,
    read: (command, ...args) =>
      Promise.all(readers.map((reader) => reader.call(command, ...args).catch(() => []))),
    async close() {
      for (const each of open) await each.close()
    },
    ...(port !== undefined && {
      async unanswered() {
        const proxy = await startProxy(port)
        closing({ close: () => proxy.stop() })
        const client = closing(await glideOn(proxy.port))
        const store = redisStore({ client, commandTimeoutMs: 1_000 })
        // The first claim asks for the eviction policy, so the one that is tested is sent at once.
        await (await run(store, claimOf())).release()
        proxy.stallUpstream()
        return {
          store,
          async answer() {
            proxy.resume()
            await client.ping()
          },
        }
      },
    }),
  })
}
