import { redisLog, redisStore } from '@oncekey/redis'
import { type RedisServer, startRedis, waitFor } from '@oncekey/test-servers'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { advanceScript } from '../../src/log/scripts/reading/advance.ts'
import { completeScript } from '../../src/store/scripts/complete.ts'
import { claimOf, completionOf, errorOf, eventOf, kindOf, retryOf, run } from '../servers/claims.ts'

let server: RedisServer
const open: Redis[] = []

beforeEach(async () => {
  server = await startRedis()
})
afterEach(async () => {
  for (const client of open.splice(0)) client.disconnect()
  await server.stop()
})

function connect(options = {}): Redis {
  const client = new Redis(server.url, options)
  client.on('error', () => {})
  open.push(client)
  return client
}

const asked = (errors: readonly Error[]) =>
  errors.filter(({ message }) => !message.includes('asked only now and then')).length

// A bug: ioredis with `commandTimeout` rejects a command and keeps it in its queue. The rejection
// counted as an answer, so every claim was sent, and every end again each round.
describe('a Redis that hangs, through a client that gives commands up before the store does,', () => {
  test('is asked only now and then', async () => {
    const client = connect({ commandTimeout: 500 })
    const store = redisStore({ client, commandTimeoutMs: 1_500 })
    await run(store, claimOf())
    const claims = Array.from({ length: 200 }, () => claimOf({ whenUnknown: 'hold' }))
    server.pause()
    await Promise.all(claims.map((claim) => errorOf(store.begin(claim))))
    const said = await Promise.all(claims.map(() => errorOf(store.begin(claimOf()))))
    expect(asked(said)).toBeLessThan(20)
    server.resume()
    const isAnswered = () =>
      kindOf(store, claimOf()).then(
        (kind) => kind === 'run',
        () => false,
      )
    await waitFor(isAnswered, { what: 'Redis to be asked again' })
    for (const claim of claims) {
      await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'run', {
        what: 'the claim to be given back',
      })
    }
  })

  test('gets one copy of a completion, and small questions until it answers', async () => {
    const client = connect({ commandTimeout: 500 })
    const store = redisStore({ client, commandTimeoutMs: 1_500 })
    const claim = claimOf()
    const attempt = await run(store, claim)
    const inFull = vi.spyOn(client as never as { evalBuffer(): unknown }, 'evalBuffer')
    const byDigest = vi.spyOn(
      client as never as { evalshaBuffer(sha: string): unknown },
      'evalshaBuffer',
    )
    const copies = () => byDigest.mock.calls.filter(([sha]) => sha === completeScript.sha).length
    server.pause()
    expect((await errorOf(attempt.complete(completionOf()))).code).toBe('commit-failed')
    await waitFor(() => inFull.mock.calls.length >= 3, { what: 'three questions' })
    expect(copies()).toBe(1)
    server.resume()
    await waitFor(async () => (await kindOf(store, retryOf(claim))) === 'replay', {
      what: 'the completion to arrive',
    })
    expect(await store.settle?.({ withinMs: 10_000 })).toBe(0)
  })
})

// A bug: a relay records its outcomes again after each timeout, up to some megabytes, and ioredis
// without any option kept every copy.
test('a write of the log is not sent again while the client has one', async () => {
  const client = connect()
  const log = redisLog({ client, commandTimeoutMs: 200 })
  const consumer = 'shipping'
  await log.subscribe({ consumer, types: null, startAt: 'beginning' })
  const { taken } = await log.lease({ consumer, relay: 'r', leaseMs: 600_000, holding: [] })
  const moves = taken.map(({ slot, epoch, position }) => ({
    slot,
    epoch,
    position,
    calm: true,
    failed: [],
  }))
  await log.advance({ consumer, slots: moves })
  const sent = vi.spyOn(client as never as { evalshaBuffer(sha: string): unknown }, 'evalshaBuffer')
  server.pause()
  for (let round = 0; round < 4; round += 1) {
    const error = await errorOf(log.advance({ consumer, slots: moves }))
    expect(error.code).toBe('store-unavailable')
  }
  expect(sent.mock.calls.filter(([sha]) => sha === advanceScript.sha)).toHaveLength(1)
  server.resume()
  await waitFor(
    () =>
      log.advance({ consumer, slots: moves }).then(
        () => true,
        () => false,
      ),
    {
      what: 'the log to be written',
    },
  )
})

test('events that no claim comes before are refused, too, once hundreds have no answer', async () => {
  const client = connect()
  const log = redisLog({ client, commandTimeoutMs: 200 })
  const store = redisStore({ client, commandTimeoutMs: 200 })
  await log.append([eventOf()])
  const attempt = () => store.open({ leaseMs: 1 })
  const events = [eventOf()]
  server.pause()
  const each = async (call: () => Promise<unknown>) =>
    Promise.all(Array.from({ length: 200 }, () => errorOf(call())))
  const append = () => log.append([eventOf()])
  const complete = async () => (await attempt()).complete(completionOf({ events }))
  expect(asked(await each(append))).toBe(200)
  expect(asked(await each(append))).toBeLessThan(10)
  expect(asked(await each(complete))).toBe(200)
  const refused = await each(complete)
  expect(asked(refused)).toBeLessThan(10)
  expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['commit-failed']))
  server.resume()
})
