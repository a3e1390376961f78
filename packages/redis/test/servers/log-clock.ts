import type { SubscriptionRecord } from '@oncekey/core'
import type { Redis } from 'ioredis'

/**
 * Lets time pass. Redis' clock cannot be moved, so the times of leases, relays and deliveries are
 * moved back instead. Tests need not sleep, and on a slow machine no lease runs out unexpectedly.
 */
export async function moveClock(servers: readonly Redis[], ms: number): Promise<void> {
  await Promise.all(servers.map((server) => moveOne(server, ms)))
}

async function moveOne(server: Redis, ms: number): Promise<void> {
  for (const key of await server.keys('*oncekey:*:consumers')) {
    const moved: Record<string, string> = {}
    for (const [consumer, text] of Object.entries(await server.hgetall(key))) {
      const cursor = JSON.parse(text)
      if (cursor.lease_until === 0) continue
      moved[consumer] = JSON.stringify({
        ...cursor,
        lease_until: cursor.lease_until - ms,
        ...(cursor.leased_at !== undefined && { leased_at: cursor.leased_at - ms }),
      })
    }
    if (Object.keys(moved).length > 0) await server.hset(key, moved)
  }
  for (const key of await server.keys('*oncekey:*:subscriptions:*')) {
    const record: SubscriptionRecord = JSON.parse((await server.get(key)) ?? '')
    const lists = record.lists.map((list) => ({
      ...list,
      since: list.since - ms,
      seenAt: list.seenAt - ms,
      relays: Object.fromEntries(
        Object.entries(list.relays).map(([relay, until]) => [relay, until - ms]),
      ),
    }))
    await server.set(key, JSON.stringify({ ...record, lists }))
  }
  for (const key of await server.keys('*oncekey:*:redrives:*')) {
    const nextAt = (await server.type(key)) === 'hash' && (await server.hget(key, 'next_at'))
    if (nextAt) await server.hset(key, 'next_at', Number(nextAt) - ms)
  }
  for (const pattern of [
    '*oncekey:*:due:*',
    '*oncekey:*:relays:*',
    '*oncekey:*:redrives:running',
  ]) {
    for (const key of await server.keys(pattern)) {
      for (const member of await server.zrange(key, 0, '-1'))
        await server.zincrby(key, String(-ms), member)
    }
  }
}
