import type { RedisCluster } from '@oncekey/test-servers'
import type { Redis } from 'ioredis'

/** A hash slot on its way from one node to another, as `redis-cli --cluster reshard` moves it. */
export interface MovingSlot {
  /** Moves at most this many keys; returns how many are left. */
  moveKeys(most: number): Promise<number>
  /** Moves the remaining keys and gives the slot to the other node. */
  finish(): Promise<void>
}

/** Begins to move the slot of `key` to the next node. The slot must not be empty. */
export async function beginToMove(
  cluster: RedisCluster,
  nodes: readonly Redis[],
  key: string,
): Promise<MovingSlot> {
  const slot = Number(await nodes[0]?.cluster('KEYSLOT', key))
  const counts = await Promise.all(nodes.map((node) => node.cluster('COUNTKEYSINSLOT', slot)))
  const from = counts.findIndex((count) => Number(count) > 0)
  const to = (from + 1) % nodes.length
  const [source, target] = [nodes[from] as Redis, nodes[to] as Redis]
  const port = cluster.primaries[to]?.port ?? 0
  const [sourceId, targetId] = await Promise.all([
    source.cluster('MYID') as Promise<string>,
    target.cluster('MYID') as Promise<string>,
  ])
  await target.cluster('SETSLOT', slot, 'IMPORTING', sourceId)
  await source.cluster('SETSLOT', slot, 'MIGRATING', targetId)

  const moveKeys = async (most: number): Promise<number> => {
    const keys = (await source.cluster('GETKEYSINSLOT', slot, most)) as string[]
    if (keys.length > 0) {
      await source.call('MIGRATE', '127.0.0.1', port, '', 0, 5_000, 'KEYS', ...keys)
    }
    return Number(await source.cluster('COUNTKEYSINSLOT', slot))
  }
  return {
    moveKeys,
    async finish() {
      while ((await moveKeys(1_000)) > 0);
      await target.cluster('SETSLOT', slot, 'NODE', targetId)
      await source.cluster('SETSLOT', slot, 'NODE', targetId)
    },
  }
}
