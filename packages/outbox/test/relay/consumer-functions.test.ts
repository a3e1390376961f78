import { memoryLog, memoryStore, outboxEvent } from '@oncekey/core'
import { consumer, createRelay, deadLetters } from '@oncekey/outbox'
import { describe, expect, test } from 'vitest'

function logOf() {
  const log = memoryLog(memoryStore())
  const emit = (subject: string) =>
    log.append([
      outboxEvent({ type: 'order.created', subject }, { source: '/', traceparent: undefined }),
    ])
  const relay = (of: Parameters<typeof createRelay>[0]['consumers'][number]) =>
    createRelay({ log, consumers: [of as never] })
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
