import { redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
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
import { eventIn } from '../servers/redis-fixture.ts'

let server: RedisServer
let client: Redis
let client5: Redis5

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
  client5 = new Redis5(server.url)
})
afterAll(async () => {
  client.disconnect()
  client5.disconnect()
  await server.stop()
})

const clients = { 'ioredis 6': () => client, 'ioredis 5': () => client5 }

async function outbox(): Promise<string[]> {
  const streams = await client.keys('oncekey:*outbox')
  const entries = await Promise.all(streams.map((stream) => client.xrange(stream, '-', '+')))
  return entries.flat().map(([, fields]) => eventIn(fields).id)
}

describe.each(Object.entries(clients))('a server that has forgotten the scripts, %s', (_, of) => {
  test('gets them again, whatever the operation', async () => {
    const store = redisStore({ client: of() })
    const claim = claimOf()
    const flushed = async <T>(work: () => Promise<T>): Promise<T> => {
      await client.script('FLUSH')
      return work()
    }
    const attempt = await flushed(() => run(store, claim))
    expect(await flushed(() => attempt.renew(60_000))).toBe('held')
    const events = [eventOf()]
    expect(await flushed(() => attempt.complete(completionOf({ events })))).toBe('stored')
    await flushed(() => expectReplay(store, claim, 'done'))
    const second = await run(store, claimOf())
    await flushed(() => second.release())
    const third = await run(store, claimOf())
    await flushed(() => third.abandon())
    const open = await store.open({ leaseMs: 1 })
    const more = [eventOf()]
    expect(await flushed(() => open.complete(completionOf({ events: more })))).toBe('stored')
    const ids = await outbox()
    expect(ids).toContain(events[0]?.id)
    expect(ids).toContain(more[0]?.id)
  })

  test('gets them once when a hundred requests miss them together', async () => {
    const store = redisStore({ client: of() })
    await run(store, claimOf())
    await client.script('FLUSH')
    const claims = Array.from({ length: 100 }, () => claimOf())
    await Promise.all(claims.map((claim) => run(store, claim)))
  })
})

describe('the completing script', () => {
  test('appends more events than fit on the stack of Lua, in their order', async () => {
    const store = redisStore({ client, commandTimeoutMs: 30_000 })
    const events = Array.from({ length: 10_000 }, (_, index) => eventOf({ data: `${index}` }))
    const attempt = await run(store, claimOf())
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    const given = new Set(events.map(({ id }) => id))
    expect((await outbox()).filter((id) => given.has(id))).toEqual(events.map(({ id }) => id))
  })

  test('names the fields of an entry after the attributes of CloudEvents', async () => {
    const store = redisStore({ client })
    const event = eventOf({
      orderingKey: 'customer-1',
      headers: { traceparent: '00-1-2-01' },
      occurredAt: new Date('2026-02-03T04:05:06.789Z'),
    })
    await client.del(await client.keys('oncekey:*outbox'))
    await (await run(store, claimOf())).complete(completionOf({ events: [event] }))
    const [stream = ''] = await client.keys('oncekey:*outbox')
    const [[, fields = []] = []] = await client.xrange(stream, '-', '+')
    const pairs = fields.flatMap((name, index) =>
      index % 2 === 0 ? [[name, fields[index + 1]] as const] : [],
    )
    expect(Object.fromEntries(pairs)).toEqual({
      id: event.id,
      source: '/http',
      type: 'order.created',
      time: '2026-02-03T04:05:06.789Z',
      partitionkey: 'customer-1',
      data: '{"id":1}',
      subject: 'order-1',
      headers: '{"traceparent":"00-1-2-01"}',
    })
  })

  test('keeps integers beyond 2^53 exact', async () => {
    const store = redisStore({ client })
    const claim = claimOf()
    const [data, body] = ['{"n":12297829382473034410}', '{"n":12297829382473034411}']
    const events = [eventOf({ data })]
    await (await run(store, claim)).complete(completionOf({ response: responseOf(body), events }))
    await expectReplay(store, claim, body)
    const streams = await client.keys('oncekey:*outbox')
    const entries = await Promise.all(streams.map((stream) => client.xrange(stream, '-', '+')))
    expect(entries.flat().map(([, fields]) => eventIn(fields).data)).toContain(data)
  })

  test('stores nothing if the key of the outbox holds no stream, and can be sent again', async () => {
    const store = redisStore({ client })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const [record = ''] = await client.keys(`oncekey:*:key:*${claim.key}`)
    const stream = record.replace(/(?<=}:)key:.*/, 'outbox')
    await client.set(stream, 'another program')
    const events = [eventOf()]
    const error = await errorOf(attempt.complete(completionOf({ events })))
    expect(error).toMatchObject({ code: 'commit-failed', cause: { name: 'ReplyError' } })
    expect(await kindOf(store, retryOf(claim))).toBe('in-progress')
    await client.del(stream)
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    expect(await attempt.complete(completionOf({ events }))).toBe('stored')
    expect(await client.xlen(stream)).toBe(1)
    await expectReplay(store, claim, 'done')
  })

  test('appends nothing when an attempt without a key sends it again', async () => {
    const store = redisStore({ client })
    const attempt = await store.open({ leaseMs: 1 })
    const events = [eventOf()]
    const again = { ...completionOf({ events }) }
    // Both are under way: the second is the first one, sent again by a client that lost the reply.
    await Promise.all([attempt.complete(again), attempt.complete(again)])
    expect((await outbox()).filter((id) => id === events[0]?.id)).toHaveLength(1)
  })
})

describe('a script of ours that an operator kills', () => {
  test('has changed nothing, and the key can be claimed', async () => {
    const store = redisStore({ client, commandTimeoutMs: 30_000 })
    const claim = claimOf()
    await (await run(store, claim)).complete(completionOf())
    await client.config('SET', 'busy-reply-threshold', '1')
    const fingerprints = Array<string>(400_000).fill('?') as [string, ...string[]]
    // The script loops over its many fingerprints, which takes so long that it is killed in one of
    // the tries.
    const killed = await waitFor(
      async () => {
        const claiming = store.begin(retryOf(claim, { fingerprints })).catch((error) => error)
        const operator = killScripts()
        const outcome = await claiming
        await operator.stop()
        return outcome.code === 'store-unavailable' && outcome
      },
      { what: 'the script to be killed', timeoutMs: 60_000 },
    )
    await client.config('SET', 'busy-reply-threshold', '5000')
    expect(killed.message).toContain('the script was killed by an operator')
    await expectReplay(store, claim, 'done')
  })

  function killScripts(): { stop(): Promise<void> } {
    const operator = new Redis(server.url, { enableReadyCheck: false })
    let stopped = false
    const killing = (async () => {
      while (!stopped) await operator.script('KILL').catch(() => {})
    })()
    return {
      stop: async () => {
        stopped = true
        await killing
        operator.disconnect()
      },
    }
  }
})

describe('a record in the format of a newer release', () => {
  test('causes a clear error, and is not changed', async () => {
    const store = redisStore({ client })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const [record = ''] = await client.keys(`oncekey:*:key:*${claim.key}`)
    await client.hset(record, { v: '2', state: 'other', token: claim.token, owner: 'newer' })
    const before = await client.hgetall(record)

    const error = await errorOf(store.begin(retryOf(claim)))
    expect(error.code).toBe('store-too-new')
    expect(error.message).toContain('newer release of @oncekey/redis')
    expect(await attempt.renew(60_000)).toBe('stale')
    await attempt.abandon()
    await attempt.release()
    expect(await attempt.complete(completionOf())).toBe('superseded')
    expect(await client.hgetall(record)).toEqual(before)
  })
})
