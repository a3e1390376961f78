import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { deferred } from '../../src/time/deferred.ts'
import { json, post, response } from '../support/post.ts'
import { published, warned } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'
import { codeOf, runUnder } from './single-runs.ts'

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

test('the problem of an outcome tells the client what to do', async () => {
  const { run } = await runUnder({ complete: () => Promise.reject(new Error('gone')) })
  await published('oncekey:error', async () => {
    const outcome = await run.complete(response())
    if (outcome.kind !== 'problem') throw new Error(outcome.kind)
    expect(json(outcome.response)).toMatchObject({ code: 'commit-failed', retry: 'same-key' })
  })
})
