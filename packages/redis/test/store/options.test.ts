import { OptionsError } from '@oncekey/core'
import { redisLog, redisStore } from '@oncekey/redis'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, test } from 'vitest'

const client = new Redis({ lazyConnect: true })
const subscriber = new Redis({ lazyConnect: true })
const glide = { customCommand() {}, invokeScript() {} }
const listener = { ...glide, subscribe() {}, getPubSubMessage() {} }
const config = { pubsubSubscriptions: { callback() {} } }
const nodeRedis6 = createClient()
const nodeRedis = { sendCommand() {}, isOpen: true, connect() {} }

describe('invalid options of a store are refused with what to write instead', () => {
  test.each<[string, unknown, string]>([
    ['no options', undefined, 'redisStore({ client: new Redis(url) })'],
    ['no client', {}, 'redisStore({ client: new Redis(url) })'],
    ['a url', { client: 'redis://localhost' }, 'redisStore({ client: new Redis(url) })'],
    ['a client of node-redis 4', { client: nodeRedis }, 'install redis@6'],
    [
      'a client of valkey-glide that is still being made',
      { client: Promise.resolve(glide) },
      'write `await` before it',
    ],
    ['a client that gives no bytes', { client: { eval() {}, evalsha() {} } }, '`evalshaBuffer`'],
    [
      'a subscriber of ioredis for valkey-glide',
      { client: glide, subscriber },
      'is not of valkey-glide, as `client` is',
    ],
    ['a subscriber of valkey-glide', { client, subscriber: listener }, 'is not of the package'],
    ['one client of glide for both', { client: listener, subscriber: listener }, 'the same client'],
    ['an old glide to subscribe', { client: glide, subscriber: { ...glide } }, '2.3 or newer'],
    [
      'a subscriber of glide with a callback',
      { client: glide, subscriber: { ...listener, config } },
      'to a callback',
    ],
    [
      'replicas with valkey-glide',
      { client: glide, replicas: { count: 1, timeoutMs: 100 } },
      'which valkey-glide does not promise',
    ],
    [
      'one connection of node-redis for both',
      { client: nodeRedis6, subscriber: nodeRedis6 },
      'subscriber: client.duplicate()',
    ],
    [
      'a subscriber of another package',
      { client: nodeRedis6, subscriber },
      'is not of the package',
    ],
    ['one connection for both', { client, subscriber: client }, 'subscriber: client.duplicate()'],
    ['another subscriber', { client, subscriber: nodeRedis }, 'subscriber: client.duplicate()'],
    ['no time', { client, commandTimeoutMs: 0 }, '`commandTimeoutMs`'],
    ['half a millisecond', { client, commandTimeoutMs: 0.5 }, '`commandTimeoutMs`'],
    ['endless time', { client, commandTimeoutMs: Number.POSITIVE_INFINITY }, '`commandTimeoutMs`'],
    ['a text for a time', { client, resultRetentionMs: '1' }, '`resultRetentionMs`'],
    ['endless retention', { client, keyRetentionMs: 2 ** 53 }, '`keyRetentionMs`'],
    [
      'a key that is forgotten before its result',
      { client, keyRetentionMs: 1_000, resultRetentionMs: 2_000 },
      '`keyRetentionMs` must not be shorter',
    ],
    ['no replicas', { client, replicas: { count: 0, timeoutMs: 100 } }, '`replicas.count`'],
    ['replicas without a time', { client, replicas: { count: 1 } }, '`replicas.timeoutMs`'],
    [
      'replicas that claims cannot wait for',
      { client, replicas: { count: 1, timeoutMs: 1_001 } },
      'write at most 1000, or a `commandTimeoutMs` of at least 2002',
    ],
    ['another answer to eviction', { client, whenEvicting: 'ignore' }, "'refuse' or 'warn'"],
  ])('%s', (_what, options, hint) => {
    const make = () => redisStore(options as Parameters<typeof redisStore>[0])
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(hint)
  })
})

test('creating a store neither connects nor sends a command', () => {
  redisStore({ client, subscriber })
  expect([client.status, subscriber.status]).toEqual(['wait', 'wait'])
})

test('an attempt refuses a transaction, and says where writes belong', async () => {
  const attempt = await redisStore({ client }).open({ leaseMs: 1_000 })
  await expect(attempt.transaction()).rejects.toMatchObject({ code: 'transaction-unsupported' })
  await expect(attempt.transaction()).rejects.toThrow(/emit\(\) an event.*consumer.*inbox/)
})

describe('invalid options of a log are refused with what to write instead', () => {
  test.each<[string, unknown, string]>([
    ['no options', undefined, 'redisLog({ client: new Redis(url) })'],
    ['a client of node-redis 4', { client: nodeRedis }, 'install redis@6'],
    ['a client that is still being made', { client: Promise.resolve(glide) }, '`await`'],
    ['no time', { client, commandTimeoutMs: 0 }, '`commandTimeoutMs`'],
    ['a time beyond timers', { client, commandTimeoutMs: 2 ** 31 }, '`commandTimeoutMs`'],
    ['negative retention', { client, retentionMs: -1 }, '`retentionMs`'],
    [
      'a shorter memory of what was emitted than events wait',
      { client, emittedRetentionMs: 86_400_000 },
      '`emittedRetentionMs` must not be shorter than `abandonedAfterMs`',
    ],
    ['no memory of what was emitted', { client, emittedRetentionMs: 0 }, '`emittedRetentionMs`'],
    ['half a millisecond', { client, abandonedAfterMs: 0.5 }, '`abandonedAfterMs`'],
  ])('%s', (_, options, said) => {
    const make = () => redisLog(options as never)
    expect(make).toThrow(OptionsError)
    expect(make).toThrow(said)
  })

  test('creating a log applies the defaults, and sends no command', () => {
    expect(redisLog({ client }).capabilities).toMatchObject({
      name: 'redis',
      transactions: false,
      ordering: false,
    })
    expect(client.status).toBe('wait')
  })
})
