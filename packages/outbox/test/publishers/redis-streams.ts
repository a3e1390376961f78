import { type GivenOrOwn, givenOrOwn, type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import type { Pool } from 'pg'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { logDatabase } from '../databases/log-database.ts'
import type { Numbered } from './broker-stream.ts'

export const database = logDatabase()
export let pool: Pool
export let redis: GivenOrOwn<RedisServer>
export const clients: Redis[] = []
/** Keys to delete afterwards, so that a server given to the tests is left as it was. */
const removals: (() => Promise<unknown>)[] = []
let names = 0

beforeAll(async () => {
  pool = database.pool()
  redis = await givenOrOwn('REDIS_URL', () =>
    startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } }),
  )
})
afterEach(async () => {
  await Promise.all(removals.splice(0).map((remove) => remove()))
  for (const client of clients.splice(0)) client.disconnect()
})
afterAll(() => redis?.stop())

export function connected(url = redis.url()): Redis {
  const client = new Redis(url, { retryStrategy: () => 50 })
  // The client reconnects, and the publisher reports what fails.
  client.on('error', () => {})
  clients.push(client)
  return client
}

/** Names a stream for one test, and reads what is in it. */
export function freshStream(url = redis.url()) {
  names += 1
  const name = `oncekey-${process.pid}-${names}`
  const reader = connected(url)
  removals.push(() => reader.del(name))
  const entries = async () =>
    (await reader.xrange(name, '-', '+')).map(([, fields]) => {
      const pairs = fields.flatMap((field, at) => (at % 2 ? [] : [[field, fields[at + 1]]]))
      return Object.fromEntries(pairs) as Record<string, string>
    })
  const numbered = async (): Promise<Numbered[]> =>
    (await entries()).map(({ ce_id, data }) => ({ ...JSON.parse(String(data)), id: String(ce_id) }))
  return { name, reader, entries, numbered }
}
