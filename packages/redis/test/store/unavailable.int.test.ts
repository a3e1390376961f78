import { inspect } from 'node:util'
import { redisStore } from '@oncekey/redis'
import { freePort, type RedisServer, startProxy, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  claimOf,
  completionOf,
  errorOf,
  eventOf,
  expectReplay,
  kindOf,
  responseOf,
  retryOf,
  run,
} from '../servers/claims.ts'

const open: { disconnect(): void }[] = []

function connect(url: string | number, options = {}): Redis {
  const client = new Redis(String(url), options)
  client.on('error', () => {})
  open.push(client)
  return client
}

afterEach(() => {
  for (const client of open.splice(0)) client.disconnect()
})

describe('a Redis that is not there', () => {
  test.each([
    ['ioredis 6', Redis],
    ['ioredis 5', Redis5],
  ] as const)(
    'causes an error within the configured time, with the defaults of %s',
    async (_, Client) => {
      const client: Redis | Redis5 = Reflect.construct(Client, [await freePort()])
      client.on('error', () => {})
      open.push(client)
      const store = redisStore({ client, commandTimeoutMs: 300 })
      const startedAt = performance.now()
      const error = await errorOf(store.begin(claimOf()))
      expect(performance.now() - startedAt).toBeLessThan(2_000)
      expect(error).toMatchObject({ code: 'store-unavailable' })
      expect(error.message).toContain('no answer within 300 ms')
      expect(error.cause).toBeInstanceOf(Error)
    },
  )

  test('causes an error at once if the client does not queue', async () => {
    const client = connect(await freePort(), { enableOfflineQueue: false })
    const error = await errorOf(redisStore({ client }).begin(claimOf()))
    expect(error.code).toBe('store-unavailable')
  })

  test('causes an error for a waiting claim, too, however long it would wait', async () => {
    const client = connect(await freePort())
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const startedAt = performance.now()
    expect((await errorOf(store.begin(claimOf({ waitMs: 60_000 })))).code).toBe('store-unavailable')
    expect(performance.now() - startedAt).toBeLessThan(5_000)
  })
})

describe('a Redis that goes away', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await startRedis({ settings: { appendonly: 'yes', appendfsync: 'always' } })
  })
  afterEach(() => server.stop())

  test('before the completion causes `commit-failed`, and the retry finds the outcome once it is back', async () => {
    const client = connect(server.url, { retryStrategy: () => 50 })
    const store = redisStore({ client, commandTimeoutMs: 300 })
    const [claim, events] = [claimOf(), [eventOf()]]
    const attempt = await run(store, claim)
    await server.crash()
    expect((await errorOf(attempt.complete(completionOf({ events })))).code).toBe('commit-failed')
    expect((await errorOf(store.begin(retryOf(claim)))).code).toBe('store-unavailable')
    await server.restart()
    // The client still had the completion in its queue.
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
      what: 'the completion to arrive',
    })
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    const streams = await client.keys('*outbox')
    expect(await client.xlen(streams[0] ?? '')).toBe(1)
  })

  test('before the completion, with a client that does not resend, gets it from the store once it is back', async () => {
    const options = { retryStrategy: () => 50, enableOfflineQueue: false }
    const client = connect(server.url, options)
    await waitFor(() => client.status === 'ready', { what: 'the connection' })
    const store = redisStore({ client, commandTimeoutMs: 300 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    await server.crash()
    expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
    await server.restart()
    await waitFor(() => client.status === 'ready', { what: 'the connection' })
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
      what: 'the completion to be sent again',
    })
    expect(await attempt.complete(completionOf())).toBe('stored')
    await expectReplay(store, claim, 'done')
  })

  test('makes a renewal fail, and the next one succeeds', async () => {
    const client = connect(server.url, { retryStrategy: () => 50 })
    const store = redisStore({ client, commandTimeoutMs: 300 })
    const attempt = await run(store, claimOf())
    await server.crash()
    expect((await errorOf(attempt.renew(60_000))).code).toBe('store-unavailable')
    expect((await errorOf(attempt.release())).code).toBe('store-unavailable')
    await server.restart()
  })
})

describe('a Redis whose answer to a claim is lost with the connection', () => {
  // A bug: this client sends nothing while it connects, so the claim was never given back.
  test('gets the claim back once there is another, and its key is free', async () => {
    const server = await startRedis()
    const proxy = await startProxy(server.port)
    try {
      const client = connect(proxy.through(server.url), {
        retryStrategy: () => 50,
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
      })
      await waitFor(() => client.status === 'ready', { what: 'the connection' })
      const store = redisStore({ client })
      await run(store, claimOf())
      const claim = claimOf({ whenUnknown: 'hold' })
      const lost = proxy.dropAfter(claim.token)
      expect((await errorOf(store.begin(claim))).code).toBe('store-unavailable')
      await lost
      const reader = redisStore({ client: connect(server.url) })
      await waitFor(async () => (await kindOf(reader, retryOf(claim))) === 'run', {
        what: 'the claim to be given back',
      })
    } finally {
      await proxy.stop()
      await server.stop()
    }
  })
})

describe('a Redis that was restarted without its data', () => {
  test('gets the record back from the renewal and the completion of the running attempt', async () => {
    const server = await startRedis()
    try {
      const client = connect(server.url, { retryStrategy: () => 50 })
      const store = redisStore({ client })
      const [renewed, completed, abandoned] = [
        claimOf(),
        claimOf(),
        claimOf({ whenUnknown: 'hold' }),
      ]
      const attempts = [await run(store, renewed), await run(store, completed)]
      const lost = await run(store, abandoned)
      await server.crash()
      await server.restart()

      expect(await attempts[0]?.renew(60_000)).toBe('held')
      expect(await kindOf(store, retryOf(renewed))).toBe('in-progress')
      expect(await attempts[0]?.complete(completionOf())).toBe('stored')
      expect(await attempts[1]?.complete(completionOf())).toBe('stored')
      await expectReplay(store, completed, 'done')
      await lost.abandon()
      expect(await kindOf(store, retryOf(abandoned))).toBe('unknown')
    } finally {
      await server.stop()
    }
  })

  test('does not get back a key that another attempt has taken since', async () => {
    const server = await startRedis()
    try {
      const client = connect(server.url, { retryStrategy: () => 50 })
      const store = redisStore({ client })
      const claim = claimOf()
      const before = await run(store, claim)
      await server.crash()
      await server.restart()
      const now = await run(store, retryOf(claim))
      expect(await before.renew(60_000)).toBe('stale')
      expect(await before.complete(completionOf())).toBe('superseded')
      await now.release()
      expect(await before.complete(completionOf())).toBe('superseded')
      expect(await kindOf(store, retryOf(claim))).toBe('run')
    } finally {
      await server.stop()
    }
  })
})

describe('a Redis that is paused', () => {
  let server: RedisServer
  beforeEach(async () => {
    server = await startRedis()
  })
  afterEach(() => server.stop())

  test('does not leave the key to a claim that timed out: a late win is given back', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    await run(store, claimOf())
    const claim = claimOf({ whenUnknown: 'hold' })
    server.pause()
    expect((await errorOf(store.begin(claim))).code).toBe('store-unavailable')
    server.resume()
    const decision = await waitFor(
      async () => {
        const answer = await store.begin(retryOf(claim))
        return answer.kind === 'run' && answer
      },
      { what: 'the key to be free' },
    )
    expect(decision.attempt.number).toBe(1)
  })

  test('keeps an unknown outcome unknown after a claim that timed out has retaken it', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const claim = claimOf()
    await (await run(store, claim)).abandon()
    server.pause()
    expect((await errorOf(store.begin(retryOf(claim)))).code).toBe('store-unavailable')
    server.resume()
    const held = retryOf(claim, { whenUnknown: 'hold' })
    await waitFor(async () => (await kindOf(store, held)) === 'unknown', {
      what: 'the claim to be given back',
    })
    const decision = await store.begin(retryOf(claim))
    // The second attempt never ran, but it was counted.
    expect(decision).toMatchObject({ kind: 'run', attempt: { number: 3 } })
  })

  test('has a claim that was given back win nothing, however late it comes', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    await run(store, claimOf())
    const claim = claimOf({ whenUnknown: 'hold' })
    server.pause()
    expect((await errorOf(store.begin(claim))).code).toBe('store-unavailable')
    const again = store.begin(claim)
    server.resume()
    expect((await again).kind).toBe('in-progress')
    expect(await kindOf(store, retryOf(claim))).toBe('run')
  })

  // A bug: the client kept every claim and its give-back, 9 KB each, for as long as Redis hung.
  test('is asked only now and then once it has left hundreds of claims without an answer', async () => {
    const store = redisStore({ client: connect(server.url), commandTimeoutMs: 1_000 })
    const claims = Array.from({ length: 200 }, () => claimOf({ whenUnknown: 'hold' }))
    await run(store, claimOf())
    server.pause()
    await Promise.all(claims.map((claim) => errorOf(store.begin(claim))))
    const said = await Promise.all(claims.map(() => errorOf(store.begin(claimOf()))))
    const sent = said.filter(({ message }) => message.includes('no answer within'))
    expect(sent.length).toBeLessThan(100)
    expect(new Set(said.map(({ code }) => code))).toEqual(new Set(['store-unavailable']))
    server.resume()
    await waitFor(
      () =>
        kindOf(store, claimOf()).then(
          (kind) => kind === 'run',
          () => false,
        ),
      {
        what: 'Redis to be asked again',
      },
    )
    for (const claim of claims) expect(await kindOf(store, retryOf(claim))).toBe('run')
  })

  test('causes `commit-failed` for a completion, which is stored later all the same', async () => {
    const client = connect(server.url)
    const store = redisStore({ client, commandTimeoutMs: 200 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    server.pause()
    const error = await errorOf(attempt.complete(completionOf()))
    expect(error).toMatchObject({ code: 'commit-failed' })
    server.resume()
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
      what: 'the completion to arrive',
    })
  })
})

describe('errors', () => {
  test('contain neither the response nor the token of an attempt', async () => {
    const server = await startRedis()
    try {
      const client = connect(server.url)
      const store = redisStore({ client })
      const claim = claimOf()
      const attempt = await run(store, claim)
      await client.config('SET', 'maxmemory', '1')
      const response = responseOf('a card number')
      const error = await errorOf(attempt.complete(completionOf({ response })))
      const shown = inspect(error, { depth: 10 }) + JSON.stringify(error.cause)
      expect(shown).not.toContain(claim.token)
      expect(shown).not.toContain('a card number')
      expect(shown).not.toContain(Buffer.from('a card number').toString('hex').slice(0, 12))
      expect(shown).not.toContain([...Buffer.from('a card')].join(','))
    } finally {
      await server.stop()
    }
  })
})
