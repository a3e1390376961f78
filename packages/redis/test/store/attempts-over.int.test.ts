import type { Claim } from '@oncekey/core'
import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimOf, completionOf, eventOf, kindOf, retryOf, run } from '../servers/claims.ts'

let server: RedisServer
let client: Redis
let store: ReturnType<typeof redisStore>

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
  store = redisStore({ client })
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const act = { actor: 'maria', note: 'looked it up' }

/** An attempt whose lease has ended, as that of a process that stands still. */
async function lapsed() {
  const claim = claimOf({ leaseMs: 1 })
  const attempt = await run(store, claim)
  while ((await kindOf(store, retryOf(claim, { whenUnknown: 'hold' }))) !== 'unknown');
  return { claim, attempt }
}

/** What an operator or another attempt did meanwhile, and left the key free. */
const ways: Readonly<Record<string, (claim: Claim) => Promise<unknown>>> = {
  'an operator has released': (claim) => store.keys.release(claim, act),
  'an operator has answered and forgotten': async (claim) => {
    const { response } = completionOf()
    expect(await store.keys.answer(claim, response, act)).toBe('done')
    const [fingerprint] = claim.fingerprints
    return store.keys.forget({ ...claim, fingerprint }, act)
  },
  'another attempt has taken over and released': async (claim) => {
    await (await run(store, retryOf(claim, { leaseMs: 60_000 }))).release()
    return 'done'
  },
}

// A key that is free looks the same as one whose claim the server has lost.
describe.each(Object.entries(ways))('an attempt whose key %s', (_, end) => {
  test('stores nothing and holds nothing', async () => {
    const { claim, attempt } = await lapsed()
    expect(await end(claim)).toBe('done')
    const events = [eventOf()]
    expect(await attempt.renew(60_000)).toBe('stale')
    expect(await attempt.complete(completionOf({ events }))).toBe('superseded')
    await attempt.abandon()
    expect(await kindOf(store, retryOf(claim, { whenUnknown: 'hold' }))).toBe('run')
  })

  test('stores nothing after the next attempt has released the key, too', async () => {
    const { claim, attempt } = await lapsed()
    await end(claim)
    await (await run(store, retryOf(claim, { leaseMs: 60_000 }))).release()
    expect(await attempt.complete(completionOf())).toBe('superseded')
  })
})

test('of very many attempts that were taken over the last ones are remembered', async () => {
  const { claim } = await lapsed()
  const attempts = []
  while (attempts.length < 80) {
    const decision = await store.begin(retryOf(claim, { leaseMs: 1 }))
    if (decision.kind === 'run') attempts.push(decision.attempt)
  }
  const [record = ''] = await client.keys(`*:key:*${claim.key}`)
  expect((await client.hget(record, 'past'))?.length).toBeLessThan(2_100)
  await attempts.pop()?.release()
  expect(await attempts.pop()?.complete(completionOf())).toBe('superseded')
})
