import { once, type SealKeys, sealedKeys } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

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

const k1 = new Uint8Array(32).fill(1)
const k2 = new Uint8Array(32).fill(2)
const LISTED: SealKeys = { current: null, keys: { k1 } }
const SEALING: SealKeys = { current: 'k1', keys: { k1 } }
const NEXT: SealKeys = { current: 'k2', keys: { k1, k2 } }

const jobs = (seal: SealKeys | undefined) =>
  once({ store: redisStore({ client }), namespace: 'jobs', ...(seal && { seal }) })

let calls = 0
const callOf = () => ({ scope: 'tenant', key: `job-${++calls}`, input: { card: '4242' } })
const pay = async () => ({ card: '4242' })
const fail = () => Promise.reject(new Error('declined'))

describe.each<[string, SealKeys | undefined, SealKeys | undefined]>([
  ['begins, when the key is listed', undefined, LISTED],
  ['begins, when the key becomes current', LISTED, SEALING],
  ['ends, when no key is current any more', SEALING, LISTED],
])('sealing %s', (_, one, other) => {
  test.each([
    ['old', one, other],
    ['new', other, one],
  ])('the %s process answers: a retry gets it from both', async (_, first, second) => {
    const call = callOf()
    await jobs(first).run(call, pay)
    const again = [await jobs(second).run(call, fail), await jobs(first).run(call, fail)]
    expect(again).toEqual(Array(2).fill({ value: { card: '4242' }, replayed: true }))
  })

  test.each([
    ['old', other, one],
    ['new', one, other],
  ])('the %s process takes over: a retry gets it from both', async (_, first, second) => {
    const call = callOf()
    await expect(jobs(first).run(call, fail)).rejects.toThrow('declined')
    expect(await jobs(second).run(call, pay)).toMatchObject({ replayed: false })
    const again = [await jobs(second).run(call, fail), await jobs(first).run(call, fail)]
    expect(again).toEqual(Array(2).fill({ value: { card: '4242' }, replayed: true }))
  })
})

// A bug: operators were told that the record had been changed, or moved from another one.
test('what was taken over after a rotation is shown to operators', async () => {
  const call = callOf()
  await expect(jobs(SEALING).run(call, fail)).rejects.toThrow('declined')
  await jobs(NEXT).run(call, pay)
  const { keys } = redisStore({ client })
  const shown = await sealedKeys(keys, NEXT).get({ namespace: 'jobs', ...call }, { body: true })
  expect(Buffer.from(shown?.response?.body ?? []).toString()).toBe('{"card":"4242"}')
})
