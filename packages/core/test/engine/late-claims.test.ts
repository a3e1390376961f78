import { describe, expect, test } from 'vitest'
import type { Decision } from '../../src/contracts/store.ts'
import { createEngine } from '../../src/engine/engine.ts'
import { once } from '../../src/engine/once.ts'
import { published } from '../support/published.ts'
import { attemptThat, storeThat } from '../support/stores.ts'
import { problemOf, runOf } from './handler-runs.ts'

const LEASE_MS = 1_000

/** Attempts whose replies were read so long after their claims were sent. */
function won(...agesMs: readonly number[]) {
  const calls: string[][] = []
  const begin = agesMs.map((ageMs) => (): Decision => {
    const each: string[] = []
    calls.push(each)
    const attempt = attemptThat(each, { askedAt: performance.now() - ageMs })
    return { kind: 'run', attempt }
  })
  return { calls, begin }
}

// A bug: the process had stood still between the claim and its reply, and a retry elsewhere had
// taken the key over. The handler was started, made its first call, and was aborted only then.
describe('a claim whose reply is read when its lease is over', () => {
  test('starts no handler: the key is given back and claimed again', async () => {
    const { calls, begin } = won(LEASE_MS, 0)
    const store = storeThat({ mode: 'lease', begin })
    const run = await runOf(createEngine({ store, leaseMs: LEASE_MS, whenUnknown: 'hold' }))
    expect(calls).toEqual([['release'], []])
    const [first, second] = store.claims
    expect(second).toEqual({ ...first, token: second?.token })
    expect(second?.token).not.toBe(first?.token)
    await run.abandon()
  })

  // A bug: it was released, so what the attempt before it had done was forgotten, and the next
  // claim ran as attempt 1 although an outcome was unknown.
  test('is abandoned if it took the key over', async () => {
    const calls: string[] = []
    const askedAt = performance.now() - LEASE_MS
    const late = attemptThat(calls, { number: 2, askedAt })
    const begin = [(): Decision => ({ kind: 'run', attempt: late }), ...won(0).begin]
    const store = storeThat({ mode: 'lease', begin })
    await (await runOf(createEngine({ store, leaseMs: LEASE_MS }))).abandon()
    expect(calls).toEqual(['abandon'])
  })

  test('gets what is true of the key by then', async () => {
    const { begin } = won(LEASE_MS)
    const replies = [...begin, (): Decision => ({ kind: 'in-progress', retryAfterMs: 1 })]
    const store = storeThat({ mode: 'lease', begin: replies })
    const engine = createEngine({ store, leaseMs: LEASE_MS })
    expect(await problemOf(engine)).toMatchObject({ code: 'in-progress' })
  })

  test('twice is answered that the request did not run', async () => {
    const { calls, begin } = won(LEASE_MS, LEASE_MS)
    const store = storeThat({ mode: 'lease', begin })
    const jobs = once({ store, namespace: 'jobs', leaseMs: LEASE_MS })
    let runs = 0
    const errors = await published('oncekey:error', async () => {
      const job = jobs.run({ scope: 's', key: 'k' }, () => void runs++)
      await expect(job).rejects.toMatchObject({ code: 'store-unavailable' })
    })
    expect(errors).toMatchObject([{ during: 'begin', error: { message: /lease was over/ } }])
    expect([runs, calls, store.claims.length]).toEqual([0, [['release'], ['release']], 2])
  })

  test('is claimed again although it could not be given back', async () => {
    const { begin } = won(0)
    const release = () => Promise.reject(new Error('gone'))
    const late = attemptThat([], { askedAt: performance.now() - LEASE_MS, release })
    const store = storeThat({
      mode: 'lease',
      begin: [() => ({ kind: 'run', attempt: late }), ...begin],
    })
    const errors = await published('oncekey:error', async () => {
      await (await runOf(createEngine({ store, leaseMs: LEASE_MS }))).abandon()
    })
    expect(errors).toMatchObject([{ during: 'abandon', error: { message: 'gone' } }])
  })

  test('in transaction mode, where the lock is held, starts its handler', async () => {
    const { calls, begin } = won(LEASE_MS)
    const store = storeThat({ begin })
    await (await runOf(createEngine({ store, leaseMs: LEASE_MS }))).abandon()
    expect(calls).toEqual([['abandon']])
  })
})
