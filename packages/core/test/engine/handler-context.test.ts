import { describe, expect, test } from 'vitest'
import type { OutboxEvent } from '../../src/contracts/events/event.ts'
import type { Attempt } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { abort, contextOf, type Handling } from '../../src/engine/handler-context.ts'
import { resolveOptions } from '../../src/engine/resolve-options.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { post, response } from '../support/post.ts'
import { attemptThat } from '../support/stores.ts'

function opened(attempt: Attempt = attemptThat(), key: string | undefined = 'k-1') {
  const events: OutboxEvent[] = []
  const facts = { namespace: 'http', scope: 'customer-1', key, route: 'POST /orders' }
  const handling: Handling<unknown> = {
    options: resolveOptions({ store: memoryStore() as never }),
    number: attempt.number,
    attempt,
    question: { facts, fingerprints: ['x'], traceparent: undefined, signal: undefined },
    events,
    open: true,
    wish: undefined,
    aborted: undefined,
    busy: undefined,
    controller: undefined,
    context: undefined,
  }
  return {
    context: contextOf(handling),
    events,
    wish: () => handling.wish,
    abort: (reason: OncekeyError) => abort(handling, reason),
    close() {
      handling.open = false
    },
  }
}

/** How many AbortControllers are created while something runs. */
async function controllersMade(happens: () => unknown): Promise<number> {
  const { AbortController } = globalThis
  let made = 0
  globalThis.AbortController = class extends AbortController {
    constructor() {
      super()
      made++
    }
  }
  try {
    await happens()
  } finally {
    globalThis.AbortController = AbortController
  }
  return made
}

describe('the context of a handler', () => {
  test('has key, scope and attempt number', () => {
    const { context } = opened(attemptThat([], { number: 2 }))
    expect(context).toMatchObject({ key: 'k-1', scope: 'customer-1', attempt: 2 })
  })

  test('can be destructured', async () => {
    const { context, events, wish } = opened()
    const { transaction, emit, keep, deriveKey, signal } = context
    expect(await transaction()).toBe('tx')
    emit({ type: 'order.created' })
    keep()
    expect(events).toHaveLength(1)
    expect(wish()).toBe('keep')
    expect(deriveKey('charge')).toMatch(/^oncekey-/)
    expect(signal.aborted).toBe(false)
  })

  test('derives the same keys on every attempt of one request', () => {
    expect(opened().context.deriveKey('charge')).toBe(
      opened(attemptThat([], { number: 2 })).context.deriveKey('charge'),
    )
    expect(opened().context.deriveKey('charge')).not.toBe(
      opened(attemptThat(), 'k-2').context.deriveKey('charge'),
    )
  })

  test('records events in the order they were emitted', () => {
    const { context, events } = opened()
    for (const type of ['a', 'b', 'c']) context.emit({ type })
    expect(events.map(({ type }) => type)).toEqual(['a', 'b', 'c'])
  })

  test('lets the last call of keep() or release() win', () => {
    const { context, wish } = opened()
    expect(wish()).toBeUndefined()
    context.release()
    expect(wish()).toBe('release')
    context.keep()
    expect(wish()).toBe('keep')
  })
})

describe('the signal', () => {
  test('creates no AbortController unless the handler reads it', async () => {
    const engine = createEngine({ store: memoryStore() })
    const made = await controllersMade(async () => {
      for (const status of [201, 404, 500]) {
        const begun = await engine.begin(post(`k-${status}`))
        if (begun.kind !== 'run') throw new Error(begun.kind)
        begun.run.context.keep()
        await begun.run.complete(response(status))
      }
    })
    expect(made).toBe(0)
  })

  test('creates no AbortController even if it would be aborted', async () => {
    const made = await controllersMade(() => {
      const { abort, close } = opened()
      abort(new OncekeyError('handler-timeout', 'late'))
      close()
    })
    expect(made).toBe(0)
  })

  test('is the same object on every access', async () => {
    const { context } = opened()
    const made = await controllersMade(() => {
      expect(context.signal).toBe(context.signal)
    })
    expect(made).toBe(1)
  })

  test('is aborted with the reason, even if it is read only afterwards', () => {
    const reason = new OncekeyError('handler-timeout', 'late')
    const before = opened()
    const { signal } = before.context
    before.abort(reason)
    expect(signal.reason).toBe(reason)
    const after = opened()
    after.abort(reason)
    expect(after.context.signal.reason).toBe(reason)
  })

  test('keeps its first reason', () => {
    const first = new OncekeyError('attempt-over', 'The lease was lost.')
    const { context, abort } = opened()
    abort(first)
    abort(new OncekeyError('handler-timeout', 'late'))
    expect(context.signal.reason).toBe(first)
  })
})

describe('once the response has ended, the context', () => {
  const ended = () => {
    const handler = opened()
    handler.close()
    return handler
  }

  test.each(['emit', 'keep', 'release'] as const)('throws from %s()', (verb) => {
    const { context, events } = ended()
    expect(() => context[verb]({ type: 'a' } as never)).toThrow(
      expect.objectContaining({
        code: 'attempt-over',
        message: `${verb}(): the response has ended; call it before answering.`,
      }),
    )
    expect(events).toEqual([])
  })

  test('refuses transaction() without calling the store', async () => {
    const calls: string[] = []
    const handler = opened(attemptThat(calls))
    handler.close()
    await expect(handler.context.transaction()).rejects.toMatchObject({
      code: 'transaction-over',
      message: 'transaction(): the response has ended, and the transaction with it.',
    })
    expect(calls).toEqual([])
  })

  test('still has key and scope, and derives keys', () => {
    const { context } = ended()
    expect(context).toMatchObject({ key: 'k-1', scope: 'customer-1', attempt: 1 })
    expect(context.deriveKey('charge')).toBe(opened().context.deriveKey('charge'))
    expect(context.signal.aborted).toBe(false)
  })
})
