import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis, ReplyError } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { claimOf, completionOf, errorOf, kindOf, retryOf, run } from '../servers/claims.ts'

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

/** The connection of a client to a server, in which something stands that changes an answer. */
function through(change: (send: () => Promise<unknown>) => Promise<unknown>): Redis {
  return new Proxy(client, {
    get(target, name) {
      const own = Reflect.get(target, name, target)
      if (name !== 'evalshaBuffer') return own
      return (...given: unknown[]) => change(() => own.apply(target, given))
    },
  })
}

// A bug: the error of a proxy in place of a server's answer counted as a refusal, and was believed:
// the key was taken, for a lease or, with `hold`, until an operator came.
test('a claim that a proxy answers in place of Redis is given back', async () => {
  await run(redisStore({ client }), claimOf())
  const proxied = through(async (send) => {
    await send()
    throw new ReplyError('upstream failure')
  })
  const claim = claimOf({ whenUnknown: 'hold' })
  const error = await errorOf(redisStore({ client: proxied }).begin(claim))
  expect(error.code).toBe('store-unavailable')
  const store = redisStore({ client })
  await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'run', {
    what: 'the key to be free',
  })
})

// A bug: the second copy found what the first one had done, and said `absent` or `finished`.
test('an act that the client sends twice tells what it has done', async () => {
  const store = redisStore({ client })
  const twice = through(async (send) => {
    await send()
    return send()
  })
  const { keys } = redisStore({ client: twice })
  const act = { actor: 'ops', note: 'because' }
  const unknown = async () => {
    const claim = claimOf({ whenUnknown: 'hold' })
    await (await run(store, claim)).abandon()
    return claim
  }
  const acts = async (of: typeof keys) => {
    const [released, answered] = [await unknown(), await unknown()]
    const { response } = completionOf()
    const [fingerprint = ''] = answered.fingerprints
    const done = [await of.release(released, act), await of.release(released, act)]
    done.push(await of.answer(answered, response, act), await of.answer(answered, response, act))
    const meant = { ...answered, fingerprint }
    return [...done, await of.forget(meant, act), await of.forget(meant, act)]
  }
  const told = ['done', 'absent', 'done', 'finished', 'done', 'absent']
  // The server has to know the scripts, or only the first copy is refused.
  expect(await acts(store.keys)).toEqual(told)
  await client.flushdb()
  expect(await acts(keys)).toEqual(told)
  const { items } = await store.operations.list({}, { limit: 100 })
  expect(items.map(({ act: name }) => name)).toEqual(['keys.forget', 'keys.answer', 'keys.release'])
})
