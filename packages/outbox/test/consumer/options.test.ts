import { memoryLog, memoryStore, OptionsError } from '@oncekey/core'
import {
  backoff,
  consumer,
  createEventBus,
  createRelay,
  deadLetterAlerts,
  deadLetters,
} from '@oncekey/outbox'
import { redisPublisher } from '@oncekey/outbox/redis'
import { describe, expect, test } from 'vitest'

const handle = () => {}
const log = memoryLog(memoryStore())
const unordered = { ...log, capabilities: { ...log.capabilities, ordering: false } }
const named = consumer({ name: 'named', handle })
const streams = (settings: { ordered?: boolean } = {}) =>
  redisPublisher({ name: 'streams', client: { xadd: async () => '1-0' }, stream: 's', ...settings })

describe('consumer, relay and operator functions refuse, with an error that says what to write,', () => {
  test.each([
    ['a consumer without a name', () => consumer({ handle } as never), "such as 'shipping'"],
    ['a consumer with spaces in its name', () => consumer({ name: 'a b', handle }), 'name must be'],
    ['a consumer without a function', () => consumer({ name: 'a' } as never), '`handle: async'],
    [
      'a consumer with both functions',
      () => consumer({ name: 'a', handle, handleBatch: handle } as never),
      'one of',
    ],
    [
      'an ordered batch',
      () => consumer({ name: 'a', handleBatch: handle, ordered: true }),
      'Write `handle`',
    ],
    ['no types at all', () => consumer({ name: 'a', handle, types: [] }), "['order.created']"],
    [
      'no attempts',
      () => consumer({ name: 'a', handle, maxAttempts: 0 }),
      'maxAttempts must be a whole number from 1',
    ],
    [
      'half a millisecond',
      () => consumer({ name: 'a', handle, attemptTimeoutMs: 0.5 }),
      'attemptTimeoutMs',
    ],
    [
      'an invalid type pattern',
      () => consumer({ name: 'a', handle, types: ['*.created'] }),
      "['order.*']",
    ],
    [
      'a backoff that is a number',
      () => consumer({ name: 'a', handle, backoff: 5 as never }),
      'backoff must be a function',
    ],
    [
      'an unknown startAt',
      () => consumer({ name: 'a', handle, startAt: 'end' as never }),
      "'beginning' or 'now'",
    ],
    ['a relay without a log', () => createRelay({ consumers: [named] } as never), 'postgresLog'],
    ['a relay without consumers', () => createRelay({ log, consumers: [] }), 'consumers is empty'],
    [
      'two consumers with one name',
      () => createRelay({ log, consumers: [named, named] }),
      'share a cursor',
    ],
    [
      'a consumer that is a plain object',
      () => createRelay({ log, consumers: [{ name: 'x' } as never] }),
      'made by consumer',
    ],
    [
      'a minPollMs above maxPollMs',
      () => createRelay({ log, consumers: [named], minPollMs: 9, maxPollMs: 8 }),
      'maxPollMs',
    ],
    [
      'an ordered consumer on a log that keeps no order',
      () =>
        createRelay({
          log: unordered,
          consumers: [consumer({ name: 'a', handle, ordered: true })],
        }),
      'keeps no order',
    ],
    [
      'a publisher, which is ordered by default, on a log that keeps no order',
      () => createRelay({ log: unordered, consumers: [streams()] }),
      'Write `ordered: false`',
    ],
    ['a backoff that shrinks', () => backoff({ factor: 0.5 }), 'factor'],
    ['a cap below the base', () => backoff({ baseMs: 100, capMs: 50 }), 'at least baseMs'],
    ['alerts about nothing', () => deadLetterAlerts({} as never), 'log.deadLetters'],
    ['a memory log without its store', () => memoryLog({} as never), 'memoryLog(store)'],
  ])('%s', (_, construct, message) => {
    expect(construct).toThrow(OptionsError)
    expect(construct).toThrow(message)
  })

  // A bug: discard threw synchronously, while the other functions reject.
  test('a discard with an empty note', async () => {
    const discard = deadLetters(log.deadLetters).discard(['1'], ' ')
    await expect(discard).rejects.toThrow(OptionsError)
    await expect(discard).rejects.toThrow('note must be text')
  })

  test('a redrive at a rate of 0', async () => {
    const redrive = deadLetters(log.deadLetters).redrive({}, { ratePerSecond: 0 })
    await expect(redrive).rejects.toThrow('ratePerSecond')
  })

  test('a redrive of the dead letters of a retired consumer', async () => {
    const redrive = deadLetters(log.deadLetters).redrive({ retired: true })
    await expect(redrive).rejects.toThrow(OptionsError)
    await expect(redrive).rejects.toThrow('append()')
  })

  test('a subscriber added after start()', async () => {
    const bus = createEventBus({ log: memoryLog(memoryStore()) })
    bus.subscribe('*', 'one', handle)
    await bus.runOnce()
    expect(() => bus.subscribe('*', 'two', handle)).toThrow('before start()')
    await bus.stop()
  })

  test('a second start(), and runOnce() after start()', async () => {
    const relay = createRelay({ log: memoryLog(memoryStore()), consumers: [named] })
    relay.start()
    expect(() => relay.start()).toThrow('already running')
    await expect(relay.runOnce()).rejects.toThrow('already running')
    await relay.stop()
  })
})

describe('backoff', () => {
  test('grows by its factor up to its cap', () => {
    const wait = backoff({ baseMs: 100, capMs: 1_000, jitter: 'none' })
    expect([1, 2, 3, 4, 5, 50].map(wait)).toEqual([100, 200, 400, 800, 1_000, 1_000])
  })

  test('with full jitter waits between 0 and the longest wait', () => {
    let next = 0
    const wait = backoff({ baseMs: 100, random: () => next })
    expect(wait(2)).toBe(0)
    next = 0.999_999
    expect(wait(2)).toBe(200)
  })
})

test('a publisher that is not ordered has a relay on a log that keeps no order', () => {
  const consumers = [streams({ ordered: false })]
  expect(() => createRelay({ log: unordered, consumers })).not.toThrow()
})
