import { describe, expect, onTestFinished, test } from 'vitest'
import { createEngine, type Engine } from '../../src/engine/engine.ts'
import type { EngineOptions } from '../../src/engine/options.ts'
import { memoryStore } from '../../src/memory/memory-store.ts'
import { deferred } from '../../src/time/deferred.ts'
import { post, response } from '../support/post.ts'

/** Unhandled rejections, each of which would end a process. */
function unhandled(): unknown[] {
  const found: unknown[] = []
  const listener = (error: unknown) => found.push(error)
  process.on('unhandledRejection', listener)
  onTestFinished(() => {
    process.off('unhandledRejection', listener)
  })
  return found
}

/** A request whose `fingerprint` is a rejecting promise, as for malformed JSON. */
const malformed = () =>
  post('k-1', {
    fingerprintInput: () => ({
      method: 'POST',
      target: '/orders',
      contentType: 'application/json',
      body: { kind: 'chosen', value: Promise.reject(new SyntaxError('malformed')) },
    }),
  })

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('a fingerprint that rejects does not end the process', () => {
  const seal = { current: 'k', keys: { k: new Uint8Array(32) } }
  const thrown = () => {
    throw new Error('thrown')
  }
  const cases: Record<string, Partial<EngineOptions<unknown>>> = {
    'while the keys of the seal are fetched': { seal: () => turn().then(() => seal) },
    'where the seal throws': { seal: thrown },
    'where the URL throws': { url: thrown },
    'where the URL takes its time': { url: () => turn().then(() => '/') },
    'where the key alone is compared': { compares: 'key' },
    'where the key is in the body': { key: (_, raw) => raw().then(String) },
    'where a signature is asked for': { authenticate: () => {} },
  }
  for (const [where, options] of Object.entries(cases)) {
    test(where, async () => {
      const found = unhandled()
      const engine = createEngine({ store: memoryStore(), ...options })
      const begun = await engine.begin(malformed()).then(
        ({ kind }) => kind,
        () => 'refused',
      )
      await turn()
      await turn()
      expect(found).toEqual([])
      expect(begun).toBe(options.compares === 'key' ? 'run' : 'refused')
    })
  }
})

describe('in lease mode the run keeps its key while an option is slow', () => {
  for (const option of ['disposition', 'redact'] as const) {
    test(option, async () => {
      const asked = deferred<void>()
      const answer = deferred<void>()
      const store = memoryStore({ mode: 'lease', now: () => clock })
      let clock = 0
      const engine = createEngine({
        store: {
          ...store,
          async begin(claim) {
            const decision = await store.begin(claim)
            if (decision.kind !== 'run') return decision
            const { attempt } = decision
            return {
              kind: 'run',
              attempt: { ...attempt, renew: (ms) => renewed(attempt.renew(ms)) },
            }
          },
        },
        leaseMs: 900,
        async [option](given: never) {
          asked.resolve()
          await answer.promise
          return option === 'redact' ? given : undefined
        },
      })
      let renewals = 0
      const waiting: (() => void)[] = []
      const renewed = async (renewal: Promise<'held' | 'stale'>) => {
        const state = await renewal
        renewals += 1
        for (const look of waiting) look()
        return state
      }
      const begun = await engine.begin(post('k-1'))
      if (begun.kind !== 'run') throw new Error(begun.kind)
      const ending = begun.run.complete(response())
      await asked.promise
      for (let times = 0; times < 3; times += 1) {
        const before = renewals
        clock += 600
        await new Promise<void>((resolve) => {
          waiting.push(() => renewals > before && resolve())
        })
        expect(await engine.begin(post('k-1'))).toMatchObject({ code: 'in-progress' })
      }
      answer.resolve()
      expect(await ending).toEqual({ kind: 'send' })
      expect(await engine.begin(post('k-1'))).toMatchObject({ kind: 'replay' })
    })
  }
})

describe('an option gets a copy of the response', () => {
  const scribble = ({ body, headers }: { body: Uint8Array; headers: readonly unknown[] }) => {
    body.fill(42)
    for (const line of headers as string[][]) line[1] = 'scribbled'
  }
  const replayed = async (engine: Pick<Engine<unknown>, 'begin'>) => {
    const begun = await engine.begin(post('k-1'))
    return begun.kind === 'replay' && String(Buffer.from(begun.response.body))
  }

  test('redact may modify its copy', async () => {
    const engine = createEngine({
      store: memoryStore(),
      redact(given) {
        scribble(given)
        return given
      },
    })
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    const sent = response()
    expect(await begun.run.complete(sent)).toEqual({ kind: 'send' })
    expect(sent).toEqual(response())
    expect(await replayed(engine)).toBe('*'.repeat(sent.body.length))
  })

  test('disposition may modify its copy, and the stored response equals the sent one', async () => {
    const engine = createEngine({
      store: memoryStore(),
      disposition: (given) => void scribble(given),
    })
    const begun = await engine.begin(post('k-1'))
    if (begun.kind !== 'run') throw new Error(begun.kind)
    const sent = response()
    expect(await begun.run.complete(sent)).toEqual({ kind: 'send' })
    expect(sent).toEqual(response())
    expect(await replayed(engine)).toBe(String(Buffer.from(sent.body)))
  })
})
