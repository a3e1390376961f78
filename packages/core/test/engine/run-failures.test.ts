import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { HandlerRun } from '../../src/engine/handler-run.ts'
import type { RunOutcome } from '../../src/engine/outcome.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { deferred } from '../../src/time/deferred.ts'
import { response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { codeOf, runUnder } from './single-runs.ts'

const fails = (): never => {
  throw new Error('a bug of the app')
}

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

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

  // A bug: clients of a route on Redis were told that the request was undone, which none is there.
  test('is not told to be undone in lease mode, where what it did outside is not', async () => {
    const { run } = await runUnder({}, { ...options, mode: 'lease' })
    expect(await run.interrupted).toMatchObject({
      detail: 'It was given up after 0.015 s. Send the same request again.',
    })
  })

  // A bug: the error was an unhandled rejection, which ends the process.
  test('tells each who listens for it, even if one of them throws', async () => {
    const { run } = await runUnder({}, options)
    run.onInterrupted(() => {
      throw new Error('mine')
    })
    const told = deferred<unknown>()
    run.onInterrupted(told.resolve)
    expect(await told.promise).toMatchObject({ code: 'handler-timeout' })
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

// The count of timers is compared with the one before, because a timer of the test runner may end
// in between.
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

// A bug: a handler that a timeout of its framework had answered for was never told, and went on
// beside the retry.
describe('the signal of a handler that still runs', () => {
  test.each<[string, (run: HandlerRun) => Promise<RunOutcome>]>([
    ['answered with 500 by somebody else', (run) => run.complete(response(500))],
    ['given up', (run) => run.abandon()],
  ])('aborts when its request is %s, before the store has undone it', async (_, end) => {
    const undone = deferred<void>()
    const { run, calls } = await runUnder({ abandon: () => undone.promise })
    const { signal } = run.context
    let late: Promise<RunOutcome> | undefined
    signal.addEventListener('abort', () => {
      late = run.complete(response(201))
    })
    const outcome = end(run)
    await new Promise((resolve) => setImmediate(resolve))
    expect(signal.reason).toMatchObject({ code: 'attempt-over' })
    undone.resolve()
    expect(await outcome).toEqual({ kind: 'send' })
    expect(late).toBe(outcome)
    expect(calls).toEqual(['abandon'])
  })

  // A bug: everything was undone, and the handler was not told.
  test.each<[string, NonNullable<Parameters<typeof runUnder>[1]>]>([
    ['disposition', { disposition: fails }],
    ['async disposition', { disposition: async () => fails() }],
    ['redact', { redact: fails }],
  ])('aborts when the app’s %s fails', async (_, options) => {
    const { run, calls } = await runUnder({}, options)
    const { signal } = run.context
    await published('oncekey:error', async () => {
      expect(await run.complete(response(201))).toMatchObject({ kind: 'failure' })
    })
    expect(signal.reason).toMatchObject({ code: 'attempt-over' })
    expect(calls).toEqual(['abandon'])
  })

  // A bug: it went on with a stream that nobody got, beside the retry.
  test.each<[string, NonNullable<Parameters<typeof runUnder>[0]>]>([
    ['could not be recorded', { complete: () => Promise.reject(new Error('gone')) }],
    ['was superseded', { complete: async () => 'superseded' }],
  ])('aborts when its response %s, whole or still being written', async (_, attempt) => {
    await published('oncekey:error', async () => {
      for (const isWhole of [true, false]) {
        const { run } = await runUnder(attempt, { response: 'stream' })
        const { signal } = run.context
        const outcome = isWhole ? run.complete(response(201)) : run.passThrough(response(201))
        expect(codeOf(await outcome)).toBe('commit-failed')
        expect(signal.reason).toMatchObject({ code: 'attempt-over' })
      }
    })
  })

  test('aborts when an option fails for a stream, before the store has undone it', async () => {
    const undone = deferred<void>()
    const { run } = await runUnder(
      { abandon: () => undone.promise },
      { response: 'stream', disposition: fails },
    )
    const { signal } = run.context
    await published('oncekey:error', async () => {
      const outcome = run.passThrough(response(201))
      await new Promise((resolve) => setImmediate(resolve))
      expect(signal.reason).toMatchObject({ code: 'attempt-over' })
      undone.resolve()
      expect(await outcome).toMatchObject({ kind: 'failure' })
    })
  })

  test.each([201, 422])('does not abort when its response %i is kept', async (status) => {
    const { run } = await runUnder({})
    const { signal } = run.context
    await run.complete(response(status))
    expect(signal.aborted).toBe(false)
  })

  test('does not abort when its 500 goes on to the client while it is written', async () => {
    const { run } = await runUnder({}, { response: 'stream' })
    const { signal } = run.context
    expect(await run.passThrough({ status: 500, headers: [] })).toEqual({ kind: 'send' })
    expect(signal.aborted).toBe(false)
  })
})
