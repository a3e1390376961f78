import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Attempt, Decision, Store } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import type { RunOutcome } from '../../src/engine/outcome.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import type { RequestTrace } from '../../src/telemetry/traces.ts'
import { type Deferred, deferred } from '../../src/time/deferred.ts'
import { post, response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { attemptThat, storeThat } from '../support/stores.ts'
import { codeOf, runOver, runUnder } from './single-runs.ts'

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
    ['410', { kind: 'result-gone' }, 'result-gone'],
  ])('gets what is now true of the key: %s', async (_, decision, code) => {
    const { outcome, store } = await superseded(() => decision)
    expect(codeOf(outcome)).toBe(code)
    expect(store.claims).toHaveLength(2)
    expect(store.claims[1]).toMatchObject({ whenUnknown: 'hold', key: 'k-1' })
    expect(store.claims[1]?.token).not.toBe(store.claims[0]?.token)
  })

  // A bug: the client was told `never`, although a retry would have run, or asked the function.
  test.each([
    ['retake', 'commit-failed', 'same-key'],
    [() => 'hold' as const, 'commit-failed', 'same-key'],
    ['hold', 'outcome-unknown', 'never'],
  ] as const)('and whose key nobody has is answered by the policy: %s', async (...policy) => {
    const [whenUnknown, code, retry] = policy
    const first = attemptThat([], { complete: async () => 'superseded' })
    const store = storeThat({
      mode: 'lease',
      begin: [
        () => ({ kind: 'run', attempt: first }),
        () => ({ kind: 'unknown', attempt: '2', since: new Date() }),
      ],
    })
    const run = await runOver(store, { whenUnknown })
    await published('oncekey:error', async () => {
      const outcome = await run.complete(response())
      if (outcome.kind !== 'problem') throw new Error(outcome.kind)
      expect(outcome.code).toBe(code)
      expect(JSON.parse(new TextDecoder().decode(outcome.response.body))).toMatchObject({ retry })
    })
  })

  // A bug: the key was released. After a failover that had lost the claim, a retry then ran a
  // handler again that had charged a card, although the route said `hold`.
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

  // A bug: the run that was won and ended at once took the request of the outer run with it, and
  // ended its trace.
  test('is told of by its route, and its trace ends once', async () => {
    const ended: RequestTrace[] = []
    const listen = (message: unknown) => void ended.push(message as RequestTrace)
    subscribe('tracing:oncekey:request:asyncEnd', listen)
    onTestFinished(() => void unsubscribe('tracing:oncekey:request:asyncEnd', listen))
    const errors = await published('oncekey:error', async () => {
      await superseded(() => ({ kind: 'run', attempt: attemptThat() }))
    })
    expect(errors).toMatchObject([{ route: 'POST /orders', error: { code: 'commit-failed' } }])
    expect(ended).toMatchObject([
      { route: 'POST /orders', disposition: 'commit', outcome: 'superseded', status: 503 },
    ])
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
      expect(codeOf(outcome)).toBe('commit-failed')
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

/** The statuses that a run tells its adapter of when it ends in this way. */
async function toldAtTheEnd(end: (run: HandlerRun<never>) => Promise<unknown>, options = {}) {
  const begun = await createEngine({ store: memoryStore(), ...options }).begin(post('k-1'))
  if (begun.kind !== 'run') throw new Error(begun.kind)
  const told: (number | undefined)[] = []
  begun.run.onUndecided((status) => told.push(status))
  await end(begun.run as HandlerRun<never>)
  return told
}

const head = { status: 201, headers: [] }

test.each<[string, Parameters<typeof toldAtTheEnd>, (number | undefined)[]]>([
  ['the response', [(run) => run.complete(response(409))], [409]],
  ['one that is streamed', [(run) => run.passThrough(head), { response: 'stream' }], [201]],
  // A bug: it was taken for none, and a listener that then released the key had it sent.
  ['one that is too large', [(run) => run.passThrough(head)], [201]],
  ['none, as it failed', [(run) => run.abandon()], [undefined]],
  ['none, as its time was over', [(run) => run.interrupted, { handlerTimeoutMs: 5 }], [undefined]],
])('an adapter is told at the end of a run which status its response has: %s', async (...given) => {
  const [, [end, options], told] = given
  expect(await toldAtTheEnd(end, options)).toEqual(told)
})

test('an adapter is not asked about a run whose handler has decided', async () => {
  for (const verb of ['keep', 'release'] as const) {
    const told = await toldAtTheEnd((run) => {
      run.context[verb]()
      return run.complete(response())
    })
    expect(told).toEqual([])
  }
})
