import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import {
  type ConsumerContext,
  consumer,
  createRelay,
  deadLetters,
  PermanentError,
} from '@oncekey/outbox'
import { describe, expect, test } from 'vitest'
import { publisher } from '../../src/publishers/publisher.ts'

function logOf({ hasConnections = true } = {}) {
  const log = memoryLog(memoryStore())
  const takeIn = () => Promise.reject(new Error('no connection within 5000 ms'))
  const emit = (subject: string) =>
    log.append([
      outboxEvent({ type: 'order.created', subject }, { source: '/', traceparent: undefined }),
    ])
  const relay = (of: Parameters<typeof createRelay>[0]['consumers'][number]) =>
    createRelay({ log: hasConnections ? log : { ...log, takeIn }, consumers: [of as never] })
  return { log, emit, relay }
}

describe("a consumer's function", () => {
  test.each<[string, Partial<Parameters<typeof consumer>[0]>]>([
    [
      'isPermanent that rejects',
      { isPermanent: (async () => Promise.reject(new Error('x'))) as never },
    ],
    [
      'isPermanent that throws',
      {
        isPermanent() {
          throw new Error('x')
        },
      },
    ],
    ['backoff that rejects', { backoff: (async () => Promise.reject(new Error('x'))) as never }],
    ['backoff that returns NaN', { backoff: () => Number.NaN }],
  ])('%s leaves the attempt an ordinary failure', async (_, options) => {
    const { emit, relay, log } = logOf()
    await emit('one')
    const once = relay(
      consumer({
        name: 'failing',
        maxAttempts: 1,
        ...options,
        handle() {
          throw new Error('card declined')
        },
      }),
    )
    await once.runOnce()
    const { items } = await deadLetters(log.deadLetters).list()
    expect(items).toMatchObject([{ reason: 'exhausted', error: { message: 'card declined' } }])
  })

  test.each<[string, unknown]>([
    [
      'has a `then` getter that throws',
      Object.defineProperty({}, 'then', {
        get() {
          throw new Error('card declined')
        },
      }),
    ],
    [
      'has a `then` method that throws',
      {
        // biome-ignore lint/suspicious/noThenProperty: the test needs a thenable
        then() {
          throw new Error('card declined')
        },
      },
    ],
  ])('that returns an object that %s counts as failed', async (_, returned) => {
    const { emit, relay, log } = logOf()
    await emit('one')
    await relay(consumer({ name: 'failing', maxAttempts: 1, handle: () => returned })).runOnce()
    const { items } = await deadLetters(log.deadLetters).list()
    expect(items).toMatchObject([{ error: { message: 'card declined' } }])
  })

  const circular: Record<string, unknown> = { at: 1 }
  circular.self = circular
  test.each<[string, unknown]>([
    ['circular', circular],
    ['with a BigInt', { amount: 12n }],
    ['of many errors', new AggregateError([new Error('amount: at 12n')], 'all failed')],
    ['deeper down', new Error('one', { cause: new Error('two', { cause: 'amount at self' }) })],
  ])('that throws with a cause %s keeps its message and the chain', async (_, cause) => {
    const { emit, relay, log } = logOf()
    await emit('one')
    const once = relay(
      consumer({
        name: 'failing',
        maxAttempts: 1,
        handle() {
          throw new Error('card declined', { cause })
        },
      }),
    )
    await once.runOnce()
    const { items } = await deadLetters(log.deadLetters).list()
    const letter = await log.deadLetters.get(items[0]?.id ?? '')
    expect(letter?.error).toMatchObject({ name: 'Error', message: 'card declined' })
    expect(letter?.history[0]?.error.stack).toMatch(/\[cause\][\s\S]*(amount|self)/)
  })
})

// A bug: an `isPermanent` that names the errors worth a retry was asked about the relay's own, too.
// An event that was slow once, or found no connection, was a dead letter at once.
describe('isPermanent is not asked about an error that the relay itself made:', () => {
  const asked: unknown[] = []
  const all = {
    name: 'declining',
    maxAttempts: 2,
    backoff: () => 0,
    isPermanent: (error: unknown) => asked.push(error) > 0,
  }

  test.each<[string, Partial<Parameters<typeof consumer>[0]> & { handle: never }]>([
    [
      'the time limit of an attempt',
      { attemptTimeoutMs: 10, handle: (() => new Promise(() => {})) as never },
    ],
    [
      'a transaction that cannot be opened',
      { handle: (({ transaction }: ConsumerContext) => transaction()) as never },
    ],
    [
      'the same, wrapped',
      {
        handle: (async ({ transaction }: ConsumerContext) => {
          await transaction().catch((cause) => Promise.reject(new Error('not taken in', { cause })))
        }) as never,
      },
    ],
    [
      'an event that emit() refuses',
      { handle: (({ emit }: ConsumerContext) => emit({ type: '' })) as never },
    ],
  ])('%s', async (_, options) => {
    const { emit, relay, log } = logOf({ hasConnections: false })
    await emit('one')
    const once = relay(consumer({ ...all, ...options }))
    await once.runOnce()
    expect((await deadLetters(log.deadLetters).list()).items).toEqual([])
    await once.runOnce()
    const { items } = await deadLetters(log.deadLetters).list()
    expect(items).toMatchObject([{ reason: 'exhausted', attempts: 2 }])
    expect(asked).toEqual([])
  })

  test('but a PermanentError is one, whatever its cause', async () => {
    const { emit, relay, log } = logOf({ hasConnections: false })
    await emit('one')
    const handle = async ({ transaction }: ConsumerContext) => {
      await transaction().catch((cause) => Promise.reject(new PermanentError('no', { cause })))
    }
    await relay(consumer({ ...all, handle })).runOnce()
    const { items } = await deadLetters(log.deadLetters).list()
    expect(items).toMatchObject([{ reason: 'permanent' }])
  })

  test('the wait of a publisher for its broker', async () => {
    const { emit, relay, log } = logOf()
    const down = new Error('the broker is down')
    const sending = publisher(
      {
        name: 'broker',
        ordered: false,
        attemptTimeoutMs: 50,
        backoff: () => 60_000,
        isPermanent: (error) => error !== down,
      },
      {
        isForOne: true,
        isPermanent: () => false,
        isOfDestination: () => false,
        missingForMs: 60_000,
        prepare: () => ({ to: 'topic', send: () => Promise.reject(down) }),
      },
    )
    const once = relay(sending)
    for (const subject of ['one', 'two']) {
      await emit(subject)
      await once.runOnce()
    }
    expect((await deadLetters(log.deadLetters).list()).items).toEqual([])
  })
})
