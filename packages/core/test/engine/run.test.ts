import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Attempt, Completion, Decision, Store } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import type { RunOutcome } from '../../src/engine/outcome.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { type Deferred, deferred } from '../../src/time/deferred.ts'
import { json, post, response } from '../support/post.ts'
import { published, warned } from '../support/published.ts'
import { attemptThat, storeThat } from '../support/stores.ts'

type Options = Omit<EngineOptions<unknown>, 'store'>

async function runOver(
  store: Store<unknown>,
  options: Options = {},
  key: string | undefined = 'k-1',
): Promise<HandlerRun> {
  const begun = await createEngine({ store, ...options }).begin(post(key))
  if (begun.kind !== 'run') throw new Error(`expected a run, got ${JSON.stringify(begun)}`)
  return begun.run
}

/** A run whose attempt behaves as scripted, and the calls that the attempt received. */
async function runUnder(
  attempt: Partial<Attempt>,
  options: Options & { mode?: 'lease' | 'transaction' } = {},
) {
  const { mode = 'transaction', ...rest } = options
  const completions: Completion[] = []
  const { complete = async () => 'stored' as const } = attempt
  const store = storeThat({
    mode,
    attempt: {
      ...attempt,
      complete(completion) {
        completions.push(completion)
        return complete(completion)
      },
    },
  })
  const run = await runOver(store, rest)
  return { run, calls: store.calls, completions }
}

const codeOf = (outcome: RunOutcome) => (outcome.kind === 'problem' ? outcome.code : outcome.kind)
const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

describe('a response', () => {
  test.each([
    [201, 'keep', ['order.created']],
    [302, 'keep', ['order.created']],
    [404, 'undo', []],
    [422, 'undo', []],
  ])('of %i is stored with writes: %s and the events %j', async (status, writes, types) => {
    const { run, completions, calls } = await runUnder({})
    run.context.emit({ type: 'order.created' })
    expect(await run.complete(response(status))).toEqual({ kind: 'send' })
    expect(completions).toEqual([
      {
        response: {
          status,
          headers: [['content-type', 'application/json']],
          body: response().body,
          seal: null,
        },
        events: types.map((type) => expect.objectContaining({ type })),
        writes,
      },
    ])
    expect(calls).toEqual(['complete'])
  })

  test.each([500, 503, 401, 407, 408, 421, 423, 425, 429])(
    'of %i is sent but not stored, and the attempt is abandoned',
    async (status) => {
      const { run, calls } = await runUnder({})
      expect(await run.complete(response(status))).toEqual({ kind: 'send' })
      expect(calls).toEqual(['abandon'])
    },
  )

  test('follows the disposition that the options give its status', async () => {
    const { run, completions } = await runUnder({}, { disposition: { 402: 'commit' } })
    run.context.emit({ type: 'payment.declined' })
    await run.complete(response(402))
    expect(completions).toMatchObject([{ writes: 'keep', events: [{ type: 'payment.declined' }] }])
  })

  test.each([402, 500, 401])('of %i with keep() keeps writes and events', async (status) => {
    const { run, completions } = await runUnder({})
    run.context.emit({ type: 'payment.declined' })
    run.context.keep()
    expect(await run.complete(response(status))).toEqual({ kind: 'send' })
    expect(completions).toMatchObject([
      { response: { status }, writes: 'keep', events: [{ type: 'payment.declined' }] },
    ])
  })

  test.each([200, 404, 500])('of %i with release() frees the key', async (status) => {
    const { run, calls } = await runUnder({})
    run.context.release()
    expect(await run.complete(response(status))).toEqual({ kind: 'send' })
    expect(calls).toEqual(['release'])
  })

  test('is stored without the headers that are never replayed, in any spelling', async () => {
    const { run, completions } = await runUnder({}, { replayHeader: (name) => name === 'x-yes' })
    await run.complete(
      response(200, 'x', [
        ['X-Yes', '1'],
        ['X-No', '1'],
      ]),
    )
    expect(completions[0]?.response.headers).toEqual([['X-Yes', '1']])
    const other = await runUnder({})
    await other.run.complete(
      response(200, 'x', [
        ['SET-COOKIE', 'a=1'],
        ['Location', '/1'],
      ]),
    )
    expect(other.completions[0]?.response.headers).toEqual([['Location', '/1']])
  })

  test('is sent only after the store has it', async () => {
    const commit = deferred<'stored'>()
    const { run } = await runUnder({ complete: () => commit.promise })
    let sent = false
    const outcome = run.complete(response()).then(() => {
      sent = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(sent).toBe(false)
    commit.resolve('stored')
    await outcome
    expect(sent).toBe(true)
  })
})

describe('a response that is too large', () => {
  const options = { maxResponseBytes: 4 }

  test('is undone in transaction mode with 500', async () => {
    const { run, calls } = await runUnder({}, options)
    const outcome = await run.complete(response(201, '12345'))
    expect(outcome).toMatchObject({
      code: 'response-too-large',
      detail: 'It is over 4 bytes, so nothing of the request was kept.',
      response: { status: 500 },
    })
    expect(calls).toEqual(['abandon'])
  })

  test('is delivered once in lease mode and recorded without its body', async () => {
    const { run, completions } = await runUnder({}, { ...options, mode: 'lease' })
    expect(await run.complete(response(201, '12345'))).toEqual({ kind: 'send' })
    expect(completions).toMatchObject([{ response: { status: 201, body: null }, writes: 'keep' }])
  })

  test('may have exactly the limit', async () => {
    const { run, completions } = await runUnder({}, options)
    expect(await run.complete(response(201, '1234'))).toEqual({ kind: 'send' })
    expect(completions[0]?.response.body).toHaveLength(4)
  })

  test('frees the key if its status says so', async () => {
    const { run, calls } = await runUnder({}, options)
    expect(await run.complete(response(500, '12345'))).toEqual({ kind: 'send' })
    expect(calls).toEqual(['abandon'])
  })

  test.each(['transaction', 'lease'] as const)(
    'is undone in %s mode while its handler is still writing, and the handler is told',
    async (mode) => {
      const { run, calls } = await runUnder({}, { ...options, mode })
      const { signal } = run.context
      expect(codeOf(await run.passThrough({ status: 200, headers: [] }))).toBe('response-too-large')
      expect(calls).toEqual(['abandon'])
      expect(signal.reason).toMatchObject({ code: 'response-too-large' })
    },
  )
})

describe('a route that streams', () => {
  const options = { response: 'stream' } as const

  test('is recorded without its body before the first byte', async () => {
    const { run, completions } = await runUnder({}, options)
    expect(run.maxResponseBytes).toBe(0)
    expect(await run.passThrough({ status: 200, headers: [['etag', '"1"']] })).toEqual({
      kind: 'send',
    })
    expect(completions).toMatchObject([
      { response: { status: 200, headers: [['etag', '"1"']], body: null }, writes: 'keep' },
    ])
  })

  test('stores no body even if the adapter has all of it', async () => {
    const { run, completions } = await runUnder({}, options)
    await run.complete(response())
    expect(completions[0]?.response.body).toBeNull()
  })

  test('has no transaction, and says why', async () => {
    const { run } = await runUnder({}, options)
    await expect(run.context.transaction()).rejects.toMatchObject({
      code: 'transaction-unsupported',
      message: expect.stringMatching(/response: 'stream'/),
    })
    await run.abandon()
  })
})

describe('a run ends once', () => {
  const ends: [string, (run: HandlerRun) => Promise<RunOutcome>, string[]][] = [
    ['complete', (run) => run.complete(response()), ['complete']],
    ['passThrough', (run) => run.passThrough({ status: 500, headers: [] }), ['abandon']],
    ['abandon', (run) => run.abandon(), ['abandon']],
  ]

  test.each(
    ends.flatMap(([first, end, calls]) =>
      ends.map(([second, later]) => [first, second, end, later, calls] as const),
    ),
  )('%s and then %s: the first counts, the second gets its outcome', async (...given) => {
    const [, , end, later, calls] = given
    const under = await runUnder({})
    const [one, two] = [end(under.run), later(under.run)]
    expect(two).toBe(one)
    expect(await later(under.run)).toEqual(await one)
    expect(under.calls).toEqual(calls)
  })

  test('even if the second end comes while the first is being stored', async () => {
    const commit = deferred<'stored'>()
    const { run, calls } = await runUnder({ complete: () => commit.promise })
    const outcomes = [run.complete(response(201)), run.complete(response(500)), run.abandon()]
    commit.resolve('stored')
    expect(await Promise.all(outcomes)).toEqual([
      { kind: 'send' },
      { kind: 'send' },
      { kind: 'send' },
    ])
    expect(calls).toEqual(['complete'])
  })
})

describe('a handler that exceeds handlerTimeoutMs', () => {
  const options = { handlerTimeoutMs: 15 }

  test('is interrupted: its signal aborts, its writes are undone, the client gets 503', async () => {
    const { run, calls } = await runUnder({}, options)
    const { signal } = run.context
    const answer = await run.interrupted
    expect(answer).toMatchObject({
      kind: 'problem',
      code: 'handler-timeout',
      detail: 'It was given up after 0.015 s and undone. Send the same request again.',
      response: { status: 503 },
    })
    expect(signal.reason).toMatchObject({
      code: 'handler-timeout',
      message: 'The handler took longer than 0.015 s.',
    })
    expect(calls).toEqual(['abandon'])
  })

  test('has its late response ignored', async () => {
    const { run, calls } = await runUnder({}, options)
    const answer = await run.interrupted
    expect(await run.complete(response())).toEqual(answer)
    expect(await run.passThrough({ status: 200, headers: [] })).toEqual(answer)
    expect(await run.abandon()).toEqual(answer)
    expect(() => run.context.emit({ type: 'a' })).toThrow(/the response has ended/)
    expect(calls).toEqual(['abandon'])
  })

  test('is too late if it responds from an abort listener', async () => {
    const { run, calls } = await runUnder({}, options)
    let outcome: Promise<RunOutcome> | undefined
    run.context.signal.addEventListener('abort', () => {
      outcome = run.complete(response(200))
    })
    const answer = await run.interrupted
    expect(await outcome).toEqual(answer)
    expect(calls).toEqual(['abandon'])
  })

  test('is undone before the client gets the 503', async () => {
    const undone = deferred<void>()
    const { run } = await runUnder({ abandon: () => undone.promise }, options)
    let told = false
    const interrupted = run.interrupted.then(() => {
      told = true
    })
    const { signal } = run.context
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    await new Promise((resolve) => setImmediate(resolve))
    expect(told).toBe(false)
    undone.resolve()
    await interrupted
  })

  test('gets 503 even if undoing failed', async () => {
    const { run } = await runUnder({ abandon: () => Promise.reject(new Error('gone')) }, options)
    const [error] = await published('oncekey:error', async () => {
      expect(await run.interrupted).toMatchObject({ code: 'handler-timeout' })
    })
    expect(error).toMatchObject({ during: 'abandon', error: { message: 'gone' } })
  })

  test('is not interrupted while its response is being stored', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const commit = deferred<'stored'>()
    const { run } = await runUnder({ complete: () => commit.promise }, options)
    const outcome = run.complete(response())
    const { signal } = run.context
    await vi.advanceTimersByTimeAsync(60_000)
    commit.resolve('stored')
    expect(await outcome).toEqual({ kind: 'send' })
    expect(signal.aborted).toBe(false)
  })
})

// Compared with before: a timer of the test runner itself may end in between.
describe('no timer is left behind', () => {
  test.each<[string, (run: HandlerRun) => unknown]>([
    ['complete', (run) => run.complete(response())],
    ['a retry', (run) => run.complete(response(500))],
    ['passThrough', (run) => run.passThrough({ status: 200, headers: [] })],
    ['abandon', (run) => run.abandon()],
  ])('by %s, in either mode', async (_, end) => {
    for (const mode of ['transaction', 'lease'] as const) {
      const before = timers()
      const { run } = await runUnder({}, { mode })
      expect(timers()).toBeGreaterThan(before)
      await end(run)
      expect(timers()).toBeLessThanOrEqual(before)
    }
  })

  test('by an interrupted handler', async () => {
    const before = timers()
    const { run } = await runUnder({}, { mode: 'lease', handlerTimeoutMs: 5 })
    await run.interrupted
    expect(timers()).toBeLessThanOrEqual(before)
  })

  test('by a run that was superseded and begun again', async () => {
    const before = timers()
    const { run } = await runUnder({ complete: async () => 'superseded' }, { mode: 'lease' })
    await run.complete(response())
    expect(timers()).toBeLessThanOrEqual(before)
  })
})

describe('a store that throws at the end', () => {
  test.each([
    [
      'commit-failed',
      503,
      'Send the same request again with the same key: the answer will tell whether it took effect.',
    ],
    ['transaction-aborted', 500, 'A statement of the request failed, so nothing of it was kept.'],
    [
      'transaction-ended',
      500,
      'The transaction ended before the response did, so the response could not be kept with it.',
    ],
  ] as const)('with %s becomes that problem, %i', async (code, status, detail) => {
    const error = new OncekeyError(code, 'the driver said so', { cause: new Error('57P01') })
    const { run } = await runUnder({ complete: () => Promise.reject(error) })
    const [message] = await published('oncekey:error', async () => {
      const outcome = await run.complete(response())
      expect(outcome).toMatchObject({ code, detail, cause: error, response: { status } })
    })
    expect(message).toMatchObject({ during: 'complete', error })
  })

  test.each([
    ['an unknown error', new Error('socket hang up')],
    ['misuse', new OncekeyError('store-not-migrated', 'Run migrate().')],
    ['nothing at all', undefined],
  ])('with %s has an unknown outcome: 503, never a success', async (_, error) => {
    const { run } = await runUnder({ complete: () => Promise.reject(error) })
    await published('oncekey:error', async () => {
      expect(codeOf(await run.complete(response()))).toBe('commit-failed')
    })
  })

  test('synchronously is treated the same', async () => {
    const { run } = await runUnder({
      complete() {
        throw new Error('not even a promise')
      },
    })
    await published('oncekey:error', async () => {
      expect(codeOf(await run.complete(response()))).toBe('commit-failed')
    })
  })

  test('on abandon or release does not change the handler’s response', async () => {
    const gone = () => Promise.reject(new Error('gone'))
    const messages = await published('oncekey:end', () =>
      published('oncekey:error', async () => {
        for (const release of [false, true]) {
          const { run } = await runUnder({ abandon: gone, release: gone })
          if (release) run.context.release()
          expect(await run.complete(response(500))).toEqual({ kind: 'send' })
        }
      }),
    )
    expect(messages).toMatchObject([
      { disposition: 'abandon', outcome: 'failed' },
      { disposition: 'release', outcome: 'failed' },
    ])
  })
})

describe('redact()', () => {
  test('changes what is stored and not what the first client gets', async () => {
    const { run, completions } = await runUnder(
      {},
      {
        redact: ({ status, headers }) => ({
          status,
          headers: headers.filter(([name]) => name !== 'x-secret'),
          body: new TextEncoder().encode('[redacted]'),
        }),
      },
    )
    const sent = response(201, 'secret', [
      ['x-secret', '1'],
      ['etag', '"1"'],
    ])
    expect(await run.complete(sent)).toEqual({ kind: 'send' })
    expect(completions[0]?.response).toMatchObject({ headers: [['etag', '"1"']] })
    expect(Buffer.from(completions[0]?.response.body as Uint8Array).toString()).toBe('[redacted]')
    expect(Buffer.from(sent.body).toString()).toBe('secret')
  })

  test('may be async', async () => {
    const redact = async () => response(201, 'redacted')
    const { run, completions } = await runUnder({}, { redact })
    expect(await run.complete(response(201, 'secret'))).toEqual({ kind: 'send' })
    expect(Buffer.from(completions[0]?.response.body as Uint8Array).toString()).toBe('redacted')
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('a bug in redact')
      },
    ],
    ['returns nothing, because it changed its argument', () => undefined],
    [
      'rejects',
      async () => {
        throw new Error('a bug in redact')
      },
    ],
    ['has a header that cannot be sent', () => response(200, 'x', [['a', 'b\nc']])],
    ['has no status', () => ({ ...response(), status: undefined })],
    ['returns text as the body', () => ({ ...response(), body: 'text' })],
  ])('that %s stores nothing, rather than a secret in the clear', async (_, redact) => {
    const { run, calls } = await runUnder({}, { redact: redact as never })
    run.context.emit({ type: 'order.created' })
    const messages = await published('oncekey:error', async () => {
      expect(await run.complete(response(201, 'secret'))).toMatchObject({
        kind: 'failure',
        error: { code: expect.stringMatching(/^option(-failed|s-invalid)$/) },
        response: { status: 500 },
      })
    })
    expect(calls).toEqual(['abandon'])
    expect(messages).toMatchObject([{ during: 'option' }])
  })
})

describe('a collision at the commit', () => {
  test('is reported to operators, not only to the client', async () => {
    const again = { kind: 'run', attempt: attemptThat() } as const
    const first = attemptThat([], { complete: async () => 'superseded' })
    const store = storeThat({ begin: [() => ({ kind: 'run', attempt: first }), () => again] })
    const begun = await createEngine({ store }).begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    const messages = await published('oncekey:error', async () => {
      expect(codeOf(await begun.run.complete(response()))).toBe('commit-failed')
    })
    expect(messages).toMatchObject([{ during: 'complete', error: { code: 'commit-failed' } }])
  })
})

describe('an attempt that was superseded', () => {
  const replay: Decision = {
    kind: 'replay',
    response: { status: 201, headers: [], body: new Uint8Array([1]), seal: null },
    fingerprint: 'x',
  }
  async function superseded(...then: Array<() => Decision | Promise<Decision>>) {
    const first = attemptThat([], { complete: async () => 'superseded' })
    const second = attemptThat()
    const store = storeThat({
      mode: 'lease',
      begin: [() => ({ kind: 'run', attempt: first }), ...then],
    })
    const run = await runOver(store)
    return { outcome: await run.complete(response()), store, second }
  }

  test.each<[string, Decision, string]>([
    ['the response of the one that won', replay, 'replay'],
    ['422', { kind: 'mismatch' }, 'key-reused'],
    ['409', { kind: 'in-progress', retryAfterMs: 1 }, 'in-progress'],
    ['409 for an outcome not known', { kind: 'unknown', since: new Date() }, 'outcome-unknown'],
    ['410', { kind: 'result-gone' }, 'result-gone'],
  ])('gets what is now true of the key: %s', async (_, decision, code) => {
    const { outcome, store } = await superseded(() => decision)
    expect(codeOf(outcome)).toBe(code)
    expect(store.claims).toHaveLength(2)
    expect(store.claims[1]).toMatchObject({ whenUnknown: 'hold', key: 'k-1' })
    expect(store.claims[1]?.token).not.toBe(store.claims[0]?.token)
  })

  // A bug: the key was released. After a failover that had lost the claim, the retry of a handler
  // that had charged a card ran it again, although the route said `hold`.
  test('leaves the key unknown if it wins it again, and tells the client to retry', async () => {
    const calls: string[] = []
    const { outcome } = await superseded(() => ({ kind: 'run', attempt: attemptThat(calls) }))
    expect(outcome).toMatchObject({
      code: 'commit-failed',
      detail:
        'The request lost its key before it ended, so its response was not kept. Send it again with the same key.',
    })
    expect(calls).toEqual(['abandon'])
  })

  test('on a real store does not run again where unknown outcomes are held', async () => {
    const store = memoryStore({ mode: 'lease' }) as Store<unknown>
    const first = await runOver({
      ...store,
      async begin(claim) {
        const decision = await store.begin(claim)
        if (decision.kind !== 'run') return decision
        const { attempt } = decision
        // The store loses the claim.
        const complete = () => attempt.release().then((): 'superseded' => 'superseded')
        return { kind: 'run', attempt: { ...attempt, complete } }
      },
    })
    expect(codeOf(await first.complete(response()))).toBe('commit-failed')
    const again = await createEngine({ store, whenUnknown: 'hold' }).begin(post('k-1'))
    expect(again).toMatchObject({ kind: 'problem', code: 'outcome-unknown' })
  })

  test('gets 503 if the store has become unreachable', async () => {
    await published('oncekey:error', async () => {
      const { outcome } = await superseded(() => Promise.reject(new Error('gone')))
      expect(codeOf(outcome)).toBe('store-unavailable')
    })
  })

  test('gets 503 if the store’s schema became too new meanwhile', async () => {
    await published('oncekey:error', async () => {
      const { outcome } = await superseded(() => {
        throw new OncekeyError('store-too-new', 'Upgrade.')
      })
      expect(codeOf(outcome)).toBe('commit-failed')
    })
  })

  test('on a real store gets the replay of the takeover that finished first', async () => {
    let now = 0
    const store = memoryStore({ mode: 'lease', now: () => now })
    const slow = await runOver(store as Store<unknown>, { leaseMs: 30_000 })
    now += 30_001
    const taker = await runOver(store as Store<unknown>)
    expect(taker.context.attempt).toBe(2)
    await taker.complete(response(201, 'second'))
    slow.context.emit({ type: 'order.created' })
    const outcome = await slow.complete(response(201, 'first'))
    if (outcome.kind !== 'replay') throw new Error(outcome.kind)
    expect(Buffer.from(outcome.response.body).toString()).toBe('second')
    expect(store.events).toEqual([])
  })
})

describe('the end of an attempt', () => {
  const facts = { namespace: 'http', scope: 'customer-1', key: 'k-1', route: 'POST /orders' }

  test.each<[string, Partial<Attempt>, (run: HandlerRun) => Promise<RunOutcome>, object]>([
    [
      'stored',
      {},
      (run) => run.complete(response(201)),
      { status: 201, disposition: 'commit', outcome: 'stored' },
    ],
    [
      'refused',
      {},
      (run) => run.complete(response(404)),
      { status: 404, disposition: 'refuse', outcome: 'stored' },
    ],
    [
      'superseded',
      { complete: async () => 'superseded' },
      (run) => run.complete(response(201)),
      { status: 201, disposition: 'commit', outcome: 'superseded' },
    ],
    [
      'failed',
      { complete: () => Promise.reject(new Error('gone')) },
      (run) => run.complete(response(201)),
      { status: 201, disposition: 'commit', outcome: 'failed' },
    ],
    [
      'retried',
      {},
      (run) => run.complete(response(500)),
      { status: 500, disposition: 'abandon', outcome: 'undone' },
    ],
    [
      'abandoned',
      {},
      (run) => run.abandon(),
      { status: undefined, disposition: 'abandon', outcome: 'undone' },
    ],
    [
      'interrupted',
      {},
      (run) => run.interrupted as Promise<RunOutcome>,
      { status: undefined, disposition: 'abandon', outcome: 'undone' },
    ],
  ])('is published: %s', async (status, attempt, end, message) => {
    const handlerTimeoutMs = status === 'interrupted' ? 5 : 30_000
    const { run } = await runUnder({ number: 3, ...attempt }, { handlerTimeoutMs })
    const messages = await published('oncekey:end', () =>
      published('oncekey:error', () => end(run)),
    )
    expect(messages[0]).toEqual({ ...facts, attempt: 3, ...message })
  })
})

describe('events that a response undoes', () => {
  const end = async (status: number, target: string) => {
    const begun = await createEngine({ store: storeThat() }).begin(post('k-1', { target }))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    begun.run.context.emit({ type: 'order.created' })
    begun.run.context.emit({ type: 'mail.sent' })
    await begun.run.complete(response(status))
  }

  test('are published every time', async () => {
    const messages = await published('oncekey:events-undone', () =>
      warned(async () => {
        await end(404, '/published')
        await end(500, '/published')
      }),
    )
    expect(messages).toMatchObject([
      { route: 'POST /published', status: 404, types: ['order.created', 'mail.sent'] },
      { route: 'POST /published', status: 500, types: ['order.created', 'mail.sent'] },
    ])
  })

  test('cause one warning per route, whatever the query', async () => {
    const messages = await warned(async () => {
      await end(404, '/warned?a=1')
      await end(500, '/warned?a=2')
      await end(500, '/other')
    })
    expect(messages).toEqual([
      'POST /warned emitted order.created, mail.sent and answered 404, which undoes events with the writes. Call keep() or set a disposition if they should stay. Said once per route.',
      'POST /other emitted order.created, mail.sent and answered 500, which undoes events with the writes. Call keep() or set a disposition if they should stay. Said once per route.',
    ])
  })

  test('include those of a handler that never responded', async () => {
    const { run } = await runUnder({}, { handlerTimeoutMs: 1 })
    run.context.emit({ type: 'order.created' })
    const messages = await published('oncekey:events-undone', () => warned(() => run.interrupted))
    expect(messages).toMatchObject([{ status: undefined, types: ['order.created'] }])
  })

  test('are not reported if none were emitted or the response commits', async () => {
    const messages = await published('oncekey:events-undone', async () => {
      const silent = await runUnder({})
      await silent.run.complete(response(404))
      const kept = await runUnder({})
      kept.run.context.emit({ type: 'order.created' })
      await kept.run.complete(response(201))
    })
    expect(messages).toEqual([])
  })
})

describe('fifty requests that end in fifty ways at once', () => {
  test('each get an answer, and nothing stays open', async () => {
    const commits: Deferred<'stored' | 'superseded'>[] = []
    const engine = createEngine({
      store: storeThat({
        attempt: {
          complete() {
            const commit = deferred<'stored' | 'superseded'>()
            commits.push(commit)
            return commit.promise
          },
        },
      }),
    })
    const runs = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const begun = await engine.begin(post(`k-${i}`))
        if (begun.kind !== 'run') throw new Error(begun.kind)
        return begun.run
      }),
    )
    const outcomes = runs.map((run, i) =>
      i % 3 === 0 ? run.abandon() : run.complete(response(i % 3 === 1 ? 201 : 404)),
    )
    const drained = engine.drain()
    for (const [i, commit] of commits.entries()) commit.resolve(i % 5 ? 'stored' : 'superseded')
    const kinds = (await Promise.all(outcomes)).map(codeOf)
    expect(kinds.filter((kind) => kind === 'commit-failed')).toHaveLength(7)
    expect(kinds.filter((kind) => kind === 'send')).toHaveLength(43)
    expect(await drained).toBe(0)
  })
})

test('the problem of an outcome tells the client what to do', async () => {
  const { run } = await runUnder({ complete: () => Promise.reject(new Error('gone')) })
  await published('oncekey:error', async () => {
    const outcome = await run.complete(response())
    if (outcome.kind !== 'problem') throw new Error(outcome.kind)
    expect(json(outcome.response)).toMatchObject({ code: 'commit-failed', retry: 'same-key' })
  })
})
