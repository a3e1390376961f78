import type { LoggedEvent } from '@oncekey/core'
import { redisLog } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventOf } from '../servers/claims.ts'

let server: RedisServer
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

// A bug: a portion failed, and with it the answer for the portions before it was lost.
test('letters that were discarded before Redis failed are told', async () => {
  const log = redisLog({ client })
  const consumer = 'shipping'
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  for (let at = 0; at < 400; at++) await log.append([eventOf({ orderingKey: `k${at}` })])
  const { taken } = await log.lease({ consumer, relay: 'r', leaseMs: 60_000, holding: [] })
  const page = await log.read({ consumer, types: null, slots: taken, limit: 1_000 })
  const verdict = { kind: 'dead', reason: 'permanent' } as const
  await log.advance({
    consumer,
    slots: taken.map((held) => ({
      ...held,
      position: page.next.find(({ slot }) => slot === held.slot)?.position ?? '',
      calm: false,
      failed: page.events
        .filter(({ slot }: LoggedEvent) => slot === held.slot)
        .map((event) => ({ event, verdict, attempt: null })),
    })),
  })
  const { items } = await log.deadLetters.list({}, { limit: 1_000 })
  const slotOf = (id: string) => Number(id.split('-')[0])
  const ids = items.map(({ id }) => id).sort((one, other) => slotOf(one) - slotOf(other))
  expect(ids).toHaveLength(400)
  // A portion has 256 letters, so the last slot is in the second one. Its audit cannot be written.
  const last = slotOf(ids.at(-1) ?? '')
  await client.set(`oncekey:{${last}}:operations`, 'no stream')
  const resolutions = await log.deadLetters.discard(ids, 'not wanted')
  expect(resolutions.map(({ id }) => id)).toEqual(ids)
  expect(new Set(resolutions.slice(0, 256).map(({ outcome }) => outcome))).toEqual(
    new Set(['discarded']),
  )
  const failed = { id: ids.at(-1), outcome: 'failed', message: expect.stringMatching(/WRONGTYPE/) }
  expect(resolutions.at(-1)).toMatchObject(failed)
  // Nothing is lost where nothing was told, so that is an error.
  const left = ids.filter((id) => slotOf(id) === last)
  await expect(log.deadLetters.discard(left, 'not wanted')).rejects.toThrow(/WRONGTYPE/)
})
