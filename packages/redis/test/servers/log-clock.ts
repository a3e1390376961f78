import type { SubscriptionRecord } from '@oncekey/core'
import type { Redis } from 'ioredis'

/**
 * Lets time pass. Redis' clock cannot be moved, so the times of leases, relays and deliveries are
 * moved back instead. Tests need not sleep, and on a slow machine no lease runs out unexpectedly.
 */
export async function moveClock(servers: readonly Redis[], ms: number): Promise<void> {
  await Promise.all(servers.map((server) => moveOne(server, ms)))
}

/**
 * Empties servers of the test's own once the tests before have left many keys. Every move of the
 * clock looks at all of them, so a suite would take longer with each of its tests.
 */
export async function dropWhatIsOver(servers: readonly Redis[]): Promise<void> {
  for (const server of servers) {
    if ((await server.dbsize()) > MOST_KEYS) await server.flushdb()
  }
}

/** What ten or twenty tests of a log leave. */
const MOST_KEYS = 3_000

async function moveOne(server: Redis, ms: number): Promise<void> {
  const leases = await valuesOf<Record<string, string>>(server, 'hgetall', '*oncekey:*:consumers')
  const lists = await valuesOf<string>(server, 'get', '*oncekey:*:subscriptions:*')
  const redrives = await server.keys('*oncekey:*:redrives:*')
  const types = await replies<string>(
    server,
    redrives.map((key) => ['type', key]),
  )
  const hashes = redrives.filter((_, at) => types[at] === 'hash')
  const times = await replies<string | null>(
    server,
    hashes.map((key) => ['hget', key, 'next_at']),
  )
  const writes: Command[] = lists.map(([key, text]) => ['set', key, subscriptionsMoved(text, ms)])
  for (const [key, cursors] of leases) {
    const moved = leasesMoved(cursors, ms)
    if (moved.length > 0) writes.push(['hset', key, ...moved])
  }
  for (const [at, key] of hashes.entries()) {
    if (times[at]) writes.push(['hset', key, 'next_at', Number(times[at]) - ms])
  }
  for (const pattern of SCORED_BY_TIME) {
    const members = await valuesOf<string[]>(server, 'zrange', pattern, 0, -1)
    for (const [key, names] of members) {
      for (const name of names) writes.push(['zincrby', key, -ms, name])
    }
  }
  await replies(server, writes)
}

const SCORED_BY_TIME = ['*oncekey:*:due:*', '*oncekey:*:relays:*', '*oncekey:*:redrives:running']

/** Fields and values for `hset`. */
function leasesMoved(cursors: Record<string, string>, ms: number): string[] {
  return Object.entries(cursors).flatMap(([consumer, text]) => {
    const cursor = JSON.parse(text)
    if (cursor.lease_until === 0) return []
    const moved = {
      ...cursor,
      lease_until: cursor.lease_until - ms,
      ...(cursor.leased_at !== undefined && { leased_at: cursor.leased_at - ms }),
    }
    return [consumer, JSON.stringify(moved)]
  })
}

function subscriptionsMoved(text: string, ms: number): string {
  const record: SubscriptionRecord = JSON.parse(text)
  const lists = record.lists.map((list) => ({
    ...list,
    since: list.since - ms,
    seenAt: list.seenAt - ms,
    relays: Object.fromEntries(
      Object.entries(list.relays).map(([relay, until]) => [relay, until - ms]),
    ),
  }))
  return JSON.stringify({ ...record, lists })
}

type Command = readonly [name: string, ...given: (string | number)[]]

/** Each key that matches the pattern, with the reply of a command about it. */
async function valuesOf<Reply>(
  server: Redis,
  command: string,
  pattern: string,
  ...rest: number[]
): Promise<[key: string, reply: Reply][]> {
  const keys = await server.keys(pattern)
  const values = await replies<Reply>(
    server,
    keys.map((key) => [command, key, ...rest]),
  )
  return keys.map((key, at) => [key, values[at] as Reply])
}

/** Sends all commands at once. */
async function replies<Reply>(server: Redis, commands: readonly Command[]): Promise<Reply[]> {
  const answers = await server.pipeline(commands.map((command) => [...command])).exec()
  return (answers ?? []).map(([error, reply]) => {
    if (error !== null) throw error
    return reply as Reply
  })
}
