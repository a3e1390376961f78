import { setTimeout as after } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { OncekeyError } from '../../src/errors/errors.ts'
import { response } from '../support/post.ts'
import { published } from '../support/published.ts'
import { codeOf, runUnder } from './single-runs.ts'

const transaction = async () => {
  throw new OncekeyError('store-busy', 'no connection within 2 s')
}

const begin = (handlerTimeoutMs = 60_000) =>
  runUnder({ transaction }, { mode: 'lease', whenUnknown: 'hold', handlerTimeoutMs })

describe('a handler of lease mode that gets no connection', () => {
  test.each([
    ['throws', undefined],
    ['answers 500', 500],
  ])('and %s with that has its key freed', async (_, status) => {
    const { run, calls } = await begin()
    await published('oncekey:error', async () => {
      await run.context.transaction().catch(() => {})
      const end = status === undefined ? run.abandon() : run.complete(response(status))
      expect(codeOf(await end)).toBe('store-busy')
    })
    expect(calls).toEqual(['transaction', 'release'])
  })

  // A bug: the key was freed, and with it what an earlier attempt had done was forgotten: the retry
  // was attempt 1 again, and could have another body.
  test.each([
    ['stays unknown if an earlier attempt is', 'retake', 'abandon'],
    ['is freed if a function has found out what became of that', () => 'retake', 'release'],
  ] as const)('in attempt 2 has a key that %s', async (_, whenUnknown, end) => {
    const attempt = { transaction, number: 2 }
    const { run, calls } = await runUnder(attempt, { mode: 'lease', whenUnknown })
    await published('oncekey:error', async () => {
      await run.context.transaction().catch(() => {})
      expect(codeOf(await run.abandon())).toBe('store-busy')
    })
    expect(calls).toEqual(['transaction', end])
  })

  // A bug: the key was freed, also with `hold`, although the handler had called another service
  // instead, and may have been waiting for its answer still: the retry was attempt 1 again.
  test('and goes on does not have its key freed by a timeout', async () => {
    const { run, calls } = await begin(20)
    await run.context.transaction().catch(() => {})
    expect(await run.interrupted).toMatchObject({ code: 'handler-timeout' })
    expect(calls).toEqual(['transaction', 'abandon'])
  })

  test.each([
    ['the framework answers for it', 503],
    ['it answers that another service failed', 502],
  ])('and goes on does not have its key freed if %s', async (_, status) => {
    const { run, calls } = await begin()
    await run.context.transaction().catch(() => {})
    await after(20)
    expect(await run.complete(response(status))).toEqual({ kind: 'send' })
    expect(calls).toEqual(['transaction', 'abandon'])
  })

  test('and fails with something else later has not failed for that', async () => {
    const { run, calls } = await begin()
    await run.context.transaction().catch(() => {})
    await after(20)
    expect(await run.abandon()).toEqual({ kind: 'send' })
    expect(calls).toEqual(['transaction', 'abandon'])
  })
})

// A bug: release() says what holds when the handler answers. One that was given up still runs.
test('a handler that called release() and takes too long does not have its key freed', async () => {
  const { run, calls } = await runUnder({}, { mode: 'lease', handlerTimeoutMs: 20 })
  run.context.release()
  expect(await run.interrupted).toMatchObject({ code: 'handler-timeout' })
  expect(calls).toEqual(['abandon'])
})

test('an adapter that knows that no handler ran may still say so when the time is over', async () => {
  const { run, calls } = await runUnder({}, { mode: 'lease', handlerTimeoutMs: 20 })
  run.onUndecided(() => run.context.release())
  await run.interrupted
  expect(calls).toEqual(['release'])
})
