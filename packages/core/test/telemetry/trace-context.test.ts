import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { provideTraceparent } from '../../src/telemetry/trace-context.ts'
import { post, response } from '../support/post.ts'

const trace = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`

async function emittedUnder(headers: Record<string, string>): Promise<unknown> {
  const store = memoryStore()
  const begun = await createEngine({ store }).begin(post('k-1', { headers }))
  if (begun.kind !== 'run') throw new Error(begun.kind)
  begun.run.context.emit({ type: 'order.created' })
  await begun.run.complete(response())
  return store.events[0]?.headers.traceparent
}

describe('the trace of an event', () => {
  test('is that of the request without an active trace', async () => {
    expect(await emittedUnder({ traceparent: trace('a') })).toBe(trace('a'))
    expect(await emittedUnder({})).toBeUndefined()
  })

  test('is the active one, with or without a header, until provideTraceparent is undone', async () => {
    const takeBack = provideTraceparent(() => trace('b'))
    expect(await emittedUnder({ traceparent: trace('a') })).toBe(trace('b'))
    expect(await emittedUnder({})).toBe(trace('b'))
    takeBack()
    expect(await emittedUnder({ traceparent: trace('a') })).toBe(trace('a'))
  })

  // A bug: a propagator that threw made `emit` throw, and with it the handler.
  test('is that of the request if whoever tells the active one throws', async () => {
    const takeBack = provideTraceparent(() => {
      throw new Error('no propagator')
    })
    expect(await emittedUnder({ traceparent: trace('a') })).toBe(trace('a'))
    takeBack()
  })

  test.each([undefined, '', 'no trace'])(
    'is that of the request if %j is active',
    async (active) => {
      const takeBack = provideTraceparent(() => active)
      expect(await emittedUnder({ traceparent: trace('a') })).toBe(trace('a'))
      takeBack()
    },
  )
})
