import { type RedisCluster, startRedisCluster, waitFor } from '@oncekey/test-servers'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lostConnections } from '../../src/client/lost-connections.ts'

let servers: RedisCluster

beforeAll(async () => {
  servers = await startRedisCluster()
})
afterAll(() => servers.stop())

// A bug: the node stayed the same node, so nothing told that its commands were sent again.
test.each([false, true])(
  'counts the connection of a node that is connected again, known before: %s',
  async (isKnown) => {
    const client = new Cluster(
      servers.primaries.map(({ port }) => ({ host: '127.0.0.1', port })),
      { clusterNodeRetryStrategy: () => 20 },
    )
    client.on('node error', () => {})
    try {
      if (isKnown) await client.set('key', 'value')
      const lost = lostConnections(client)
      await client.set('key', 'value')
      const before = lost.count
      const nodes = client.nodes('master')
      for (const { cli } of servers.primaries) await cli('client', 'kill', 'type', 'normal')
      await waitFor(() => lost.count > before, { what: 'the lost connection to be counted' })
      await client.set('key', 'again')
      expect(nodes.filter((node) => !client.nodes('master').includes(node))).toHaveLength(0)
    } finally {
      client.disconnect()
    }
  },
)
